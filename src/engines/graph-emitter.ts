import type { Graph, GraphNode } from '../resnet/graph.ts'

/**
 * Writes nodes in some format, with one method for each kind. Called in the graph's order: a node's inputs come before it.
 * A new kind of node does not compile until every format can write it.
 */
export type GraphEmitter = { [Op in GraphNode['op']]: (node: Extract<GraphNode, { op: Op }>) => void }

export function emitNodes({ nodes }: Graph, emitter: GraphEmitter): void {
  for (const node of nodes) emitter[node.op](node as never)
}
