/** A tensor that lies in a file. */
export interface StoredTensor {
  /** PyTorch's name: float32, float16, bfloat16, float64, int64, ... */
  dtype: string
  shape: number[]
  /** Row-major float32, read from the file now. Throws once the checkpoint is closed. */
  read(): Float32Array
}

/** One state_dict that the file holds. */
export interface StoredStateDict {
  /** Where in the file: '' for the root, else keys joined by dots: 'state_dict', 'model_ema', 'models.0', ... */
  at: string
  /** In file order, under the names as stored. */
  tensors: Map<string, StoredTensor>
  /**
   * Entries that are no tensors, or tensors that have no float32 values (sparse, quantised, complex, ...), by name, with the
   * reason ("is a custom.Thing"). Such an entry is an error only for who needs it.
   */
  unreadable: Map<string, string>
  /** Of a whole module: what shapes cannot tell. By path, '' for the module itself. */
  modules?: Map<string, StoredModule>
}

/** A module of `torch.save(model)`. */
export interface StoredModule {
  /** As Python names it: 'torch.nn.modules.conv.Conv2d'. */
  class: string
  /** Its public attributes: `stride: [2, 2]`, `eps: 1e-5`, `inplace: true`, ... */
  attributes: Record<string, null | boolean | number | string | number[]>
}

/** What a weight file holds. */
export interface WeightFileContents {
  format: string
  stateDicts: StoredStateDict[]
  leftOver: string[]
}
