/** `npm run search -- <picture> [count]`: the nearest stored pictures, and how far they are (cosine distance). */
import { embed } from './embed.ts'
import { Store } from './store.ts'

const [picture, count = '5'] = process.argv.slice(2)
if (picture === undefined) throw new Error('usage: npm run search -- <picture> [count]')
const { space, embeddings, failed } = await embed([picture])
const [embedding] = embeddings
if (embedding === undefined) throw new Error(failed[0])

const store = await Store.open(process.env.DATABASE_URL, process.env.DATABASE_FOLDER ?? './database')
for (const { path, distance } of await store.nearest(space, embedding, Number(count))) {
  console.log(`${distance.toFixed(4)}  ${path}`)
}
await store.close()
