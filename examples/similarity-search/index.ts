/** `npm run index -- <folder>`: embeds every picture under the folder and stores the embeddings. */
import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { embed } from './embed.ts'
import { Store } from './store.ts'

const PICTURES_PER_REQUEST = 16

const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('usage: npm run index -- <folder>')
const pictures = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(png|jpe?g|webp)$/i.test(name))
  .map((name) => resolve(join(folder, name)))
  .sort()

const store = await Store.open(process.env.DATABASE_URL, process.env.DATABASE_FOLDER ?? './database')
const spaces = new Map<string, number>()
for (let first = 0; first < pictures.length; first += PICTURES_PER_REQUEST) {
  const paths = pictures.slice(first, first + PICTURES_PER_REQUEST)
  const { space, embeddings, failed } = await embed(paths)
  for (const [i, embedding] of embeddings.entries()) {
    if (embedding === undefined) continue
    await store.put(space, paths[i] as string, embedding)
    spaces.set(space, embedding.length)
  }
  for (const line of failed) console.error(line)
  console.error(`${first + paths.length} of ${pictures.length}`)
}
// More than one where the server's model changed meanwhile: then run it again, so that all pictures are in the new one.
for (const [space, dimensions] of spaces) await store.index(space, dimensions)
await store.close()
