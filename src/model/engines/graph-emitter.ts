import type { AddNode, ConvNode, DenseNode, Graph, PoolNode, SubsampleNode } from '../graph.ts'

/** Writes one node of each kind in some format; called in the graph's order, so inputs exist before their readers. */
export interface GraphEmitter {
  conv(node: ConvNode): void
  add(node: AddNode): void
  subsample(node: SubsampleNode): void
  pool(node: PoolNode): void
  dense(node: DenseNode): void
}

/** Walks the graph; exhaustive, so a new kind of node does not compile until every format can write it. */
export function emitNodes(graph: Graph, emitter: GraphEmitter): void {
  for (const node of graph.nodes) {
    switch (node.op) {
      case 'conv':
        emitter.conv(node)
        break
      case 'add':
        emitter.add(node)
        break
      case 'subsample':
        emitter.subsample(node)
        break
      case 'pool':
        emitter.pool(node)
        break
      case 'dense':
        emitter.dense(node)
        break
    }
  }
}
