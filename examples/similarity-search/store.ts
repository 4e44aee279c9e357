/** The one thing that PGlite and pg's Pool have in common, and all that is needed. */
interface Database {
  query(sql: string, values?: unknown[]): Promise<{ rows: unknown[] }>
}

/** A picture that is stored, and its cosine distance to the one searched for: 0 is the same direction, 2 the opposite. */
export interface Neighbour {
  path: string
  distance: number
}

/**
 * Embeddings by space and path. Only embeddings of one space can be compared, so the space is part of the key, and each space
 * has an index (HNSW) of its own: one table holds several models, and a search never leaves its space.
 */
export class Store {
  readonly #database: Database
  readonly close: () => Promise<void>

  private constructor(database: Database, close: () => Promise<void>) {
    this.#database = database
    this.close = close
  }

  /** A PostgreSQL server by its URL; without one, PostgreSQL inside this process, with its files in `folder`. */
  static async open(url: string | undefined, folder?: string): Promise<Store> {
    const [database, close] = url === undefined ? await embedded(folder) : await connected(url)
    await database.query('CREATE EXTENSION IF NOT EXISTS vector')
    await database.query(
      'CREATE TABLE IF NOT EXISTS pictures (space text, path text, embedding vector NOT NULL, PRIMARY KEY (space, path))',
    )
    return new Store(database, close)
  }

  /** Adds a picture, or replaces its embedding. */
  async put(space: string, path: string, embedding: number[]): Promise<void> {
    const insert = 'INSERT INTO pictures VALUES ($1, $2, $3::vector)'
    const replace = 'ON CONFLICT (space, path) DO UPDATE SET embedding = excluded.embedding'
    await this.#database.query(`${insert} ${replace}`, [space, path, JSON.stringify(embedding)])
  }

  /**
   * Makes the index of a space, and counts rows, without which PostgreSQL would not use it. Call it once most pictures are in: it
   * is faster than an index that grows with them.
   */
  async index(space: string, dimensions: number): Promise<void> {
    await this.#database.query(
      `CREATE INDEX IF NOT EXISTS "pictures_${named(space)}" ON pictures
       USING hnsw ((embedding::vector(${Number(dimensions)})) vector_cosine_ops) WHERE space = '${named(space)}'`,
    )
    await this.#database.query('ANALYZE pictures')
  }

  /**
   * The `count` nearest pictures. By the index they are almost always the nearest: it looks at `effort` candidates (at least
   * `count`, at most 1000). `exact` looks at every picture.
   */
  async nearest(
    space: string,
    embedding: number[],
    count: number,
    { effort = 100, exact = false } = {},
  ): Promise<Neighbour[]> {
    const dimensions = `vector(${embedding.length})`
    const candidates = Math.min(Math.max(count, effort), 1000)
    await this.#database.query(`SET enable_indexscan = ${exact ? 'off' : 'on'}`)
    await this.#database.query(`SET hnsw.ef_search = ${Number(candidates)}`)
    const { rows } = await this.#database.query(
      `SELECT path, embedding::${dimensions} <=> $1::${dimensions} AS distance FROM pictures
       WHERE space = '${named(space)}' ORDER BY embedding::${dimensions} <=> $1::${dimensions} LIMIT $2`,
      [JSON.stringify(embedding), count],
    )
    return rows as Neighbour[]
  }
}

/** A space's name goes into SQL as it is, since only a constant finds the index of a part of a table. */
function named(space: string): string {
  if (!/^[0-9a-f]{16}$/.test(space)) throw new Error(`${space} is not the name of an embedding space`)
  return space
}

async function embedded(folder?: string): Promise<[Database, () => Promise<void>]> {
  const { PGlite } = await import('@electric-sql/pglite')
  const { vector } = await import('@electric-sql/pglite-pgvector')
  const database = await PGlite.create({ ...(folder ? { dataDir: folder } : {}), extensions: { vector } })
  return [database, () => database.close()]
}

async function connected(url: string): Promise<[Database, () => Promise<void>]> {
  const { default: pg } = await import('pg')
  // One connection: its settings are those of the next query.
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return [client, () => client.end()]
}
