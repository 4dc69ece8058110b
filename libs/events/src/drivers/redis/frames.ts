/**
 * Messages to one process, on its channel: frames of lines, several frames in one message. Every line is JSON without
 * raw line breaks, or a word.
 *
 * - `i`: the inbox has something.
 * - `q`: a request: header `[rid, replyTo, type, remaining ms, ce]`, then the payload's JSON ('' = none, `@key` = stored under that key).
 * - `r`: a reply: header `[rid, 'ok' | 'error' | 'refused' | 'declined' | 'lost']`, then a body like that of a request.
 */
export interface Frame {
  readonly kind: 'i' | 'q' | 'r';
  readonly header: string;
  readonly body: string;
}

/** Bodies above this, in characters, are stored under a key and only pointed at. */
export const INLINE_BODY = 64 * 1024;

export function writeFrame({ kind, header, body }: Frame): string {
  return kind === 'i' ? 'i\n' : `${kind}\n${header}\n${body}\n`;
}

export function readFrames(message: string): Frame[] {
  const frames: Frame[] = [];
  const lines = message.split('\n');
  for (let index = 0; index < lines.length;) {
    const kind = lines[index];
    if (kind === 'i') {
      frames.push({ kind, header: '', body: '' });
      index += 1;
    } else if ((kind === 'q' || kind === 'r') && index + 2 < lines.length) {
      frames.push({ kind, header: lines[index + 1] ?? '', body: lines[index + 2] ?? '' });
      index += 3;
    } else {
      index += 1;
    }
  }
  return frames;
}
