import type { Graph, GraphNode } from '../resnet/graph.ts'

/**
 * Writes one node of each kind in some format; called in the graph's order, so inputs exist before their readers. A new kind
 * of node does not compile until every format can write it.
 */
export type GraphEmitter = { [Op in GraphNode['op']]: (node: Extract<GraphNode, { op: Op }>) => void }

export function emitNodes({ nodes }: Graph, emitter: GraphEmitter): void {
  for (const node of nodes) emitter[node.op](node as never)
}
