import { type Static, Type } from 'typebox'
import { ServeError } from '../../errors.ts'
import { readImageInput } from '../inputs/image-text.ts'
import { assertInputCount, type RawInput } from '../inputs/raw-input.ts'
import type { Limits } from '../services.ts'

const strict = { additionalProperties: false }

const ImagePart = Type.Object(
  {
    type: Type.Literal('image_url'),
    image_url: Type.Object(
      {
        url: Type.String({ description: 'A data: URL, or base64. No other URL is fetched.' }),
        detail: Type.Optional(Type.String({ description: 'Changes nothing.' })),
      },
      strict,
    ),
  },
  strict,
)
const TextPart = Type.Object(
  { type: Type.Literal('text'), text: Type.String({ description: 'Empty: text is not embedded.' }) },
  strict,
)
const Message = Type.Object(
  { role: Type.String(), content: Type.Union([Type.String(), Type.Array(Type.Union([ImagePart, TextPart]))]) },
  strict,
)
const Conversation = Type.Array(Message, { minItems: 1 })

/** OpenAI's own field. */
export const InputSchema = Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1 })], {
  description: 'A picture (PNG, JPEG or WebP) as a data: URL or base64, or a list of them.',
})

/** vLLM's field for what is not text. */
export const MessagesSchema = Type.Union([Conversation, Type.Array(Conversation, { minItems: 1 })], {
  description:
    'One conversation or a list of them, with one picture in each. Gives an embedding for each conversation.',
})

interface Body {
  input?: Static<typeof InputSchema> | undefined
  messages?: Static<typeof MessagesSchema> | undefined
}

/** The pictures of a request, in either form. Throws `missing_input`, `malformed_body` or `too_many_inputs`. */
export function readPictures({ input, messages }: Body, { maxInputs }: Pick<Limits, 'maxInputs'>): RawInput[] {
  if (input !== undefined && messages !== undefined) {
    throw new ServeError('malformed_body', 'send input or messages, not both')
  }
  if (messages !== undefined) {
    const conversations = isList(messages) ? messages : [messages]
    assertInputCount(conversations.length, maxInputs)
    return conversations.map(readConversation)
  }
  if (input === undefined) throw new ServeError('missing_input', 'send pictures as input or in messages')
  const texts = [input].flat()
  assertInputCount(texts.length, maxInputs)
  return texts.map(readImageInput)
}

function isList(messages: Static<typeof MessagesSchema>): messages is Static<typeof Conversation>[] {
  return Array.isArray(messages[0])
}

/** Its one picture. Text would have to change the embedding, which it cannot: it is refused, not passed over. */
function readConversation(messages: Static<typeof Conversation>): RawInput {
  const parts = messages.flatMap(({ content }) =>
    typeof content === 'string' ? [{ type: 'text' as const, text: content }] : content,
  )
  if (parts.some((part) => part.type === 'text' && part.text.trim() !== '')) {
    const detail = 'this model embeds pictures, not text: leave text parts and text messages out'
    return { error: new ServeError('malformed_body', detail) }
  }
  const urls = parts.flatMap((part) => (part.type === 'image_url' ? [part.image_url.url] : []))
  const [url] = urls
  if (url === undefined || urls.length > 1) {
    return {
      error: new ServeError('malformed_body', `a conversation must have one picture, and it has ${urls.length}`),
    }
  }
  return readImageInput(url)
}
