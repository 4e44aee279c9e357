import type { WeightFile } from './weight-file.ts'

/** Files that people have where they expect weights of PyTorch, and what to do about them. */
const OTHERS: [(head: string) => boolean, string][] = [
  [(head) => head === '', 'the file is empty'],
  [
    (head) => head.startsWith('version https://git-lfs.github.com/spec/'),
    'this is a pointer of Git LFS, not the weights; run `git lfs pull` in its repository',
  ],
  [
    (head) => /^\s*<(!doctype|html|\?xml)/i.test(head),
    'this is a web page, not weights: the download failed or needs a login; download it again',
  ],
  [
    (head) => head.startsWith('ustar', 257),
    'this is a tar; if it is a checkpoint of the first PyTorch and you trust it, then in PyTorch: torch.save(torch.load(file, weights_only=False), "weights.pt")',
  ],
  [
    (head) => head.startsWith('\x89HDF\r\n\x1a\n'),
    'this is HDF5, of Keras for example; only weights of PyTorch are read',
  ],
  [
    (head) => head.startsWith('\x93NUMPY'),
    'this is one array of numpy; in Python: safetensors.numpy.save_file({name: numpy.load(file)}, "weights.safetensors")',
  ],
  [(head) => head.startsWith('GGUF'), 'this is GGUF, a format for language models; only weights of PyTorch are read'],
  [(head) => head.startsWith('TFL3', 4), 'this is TensorFlow Lite; only weights of PyTorch are read'],
  // Protobuf: field 1 is a small number, then comes the producer's name or the graph.
  [
    (head) => head[0] === '\b' && (head[2] === '\x12' || head[2] === ':'),
    'this is ONNX or a SavedModel of TensorFlow; only weights of PyTorch are read: save the state_dict of the model that it was made from',
  ],
  [(head) => head.startsWith('\x1f\x8b'), 'this is compressed with gzip; unpack it with gunzip first'],
  [(head) => head.startsWith('\x28\xb5\x2f\xfd'), 'this is compressed with zstd; unpack it with unzstd first'],
  [(head) => head.startsWith('7z\xbc\xaf\x27\x1c') || head.startsWith('Rar!'), 'this is an archive; unpack it first'],
]

/** What is read of a file to tell its format. */
const HEAD_BYTES = 512

/** How a file begins; `index` is JSON, as of files that share the tensors of a model. */
export type WeightFormat = 'safetensors' | 'zip' | 'pickle' | 'index' | 'other'

/** By content: people give these files any name. */
export function formatOf(file: WeightFile): WeightFormat {
  const head = headOf(file)
  // A header's length, then the header. The length may begin like any other format.
  if (head.length > 8 && head.readBigUInt64LE() <= BigInt(file.bytes - 8) && head[8] === 0x7b) return 'safetensors'
  if (head.toString('latin1', 0, 4) === 'PK\x03\x04') return 'zip'
  // PROTO 2 to 5.
  if (head[0] === 0x80 && (head[1] as number) >= 2 && (head[1] as number) <= 5) return 'pickle'
  return head[0] === 0x7b ? 'index' : 'other'
}

/** What a file of another format is, and what would help. */
export function describeOther(file: WeightFile): string {
  const head = headOf(file).toString('latin1')
  const found = OTHERS.find(([matches]) => matches(head))
  return found?.[1] ?? 'this is no file of weights: neither safetensors, nor what torch.save writes'
}

function headOf(file: WeightFile): Buffer {
  return file.read(0, Math.min(file.bytes, HEAD_BYTES))
}
