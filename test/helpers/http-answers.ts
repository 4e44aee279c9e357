export interface HttpAnswer {
  status: number
  /** Names in lower case. */
  headers: Map<string, string>
  body: string
}

/** The answers that stand whole at the beginning of `text` (Latin-1), one behind the other, and the text behind them. */
export function parseAnswers(text: string): { answers: HttpAnswer[]; rest: string } {
  const answers: HttpAnswer[] = []
  let rest = text
  for (;;) {
    const headEnd = rest.indexOf('\r\n\r\n')
    if (headEnd < 0) return { answers, rest }
    const [line = '', ...fields] = rest.slice(0, headEnd).split('\r\n')
    const headers = new Map(
      fields.map((field) => {
        const colon = field.indexOf(':')
        return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()]
      }),
    )
    const end = headEnd + 4 + Number(headers.get('content-length') ?? 0)
    if (rest.length < end) return { answers, rest }
    answers.push({ status: Number(line.split(' ')[1]), headers, body: rest.slice(headEnd + 4, end) })
    rest = rest.slice(end)
  }
}
