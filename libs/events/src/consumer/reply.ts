import type { Reply } from '../core/delivery.js';
import { encodePayload } from '../core/payload.js';
import { messageOf } from '../core/message-of.js';
import type { HandlerJob } from '../pipeline/job.js';

/** The reply that a settled job gives: what the handler returned, as JSON, or what went wrong. */
export function replyOf(job: HandlerJob, maxPayload: number): Reply {
  if (job.error !== undefined) return { ok: false, error: remoteError(job.error) };
  try {
    return { ok: true, text: encodePayload(job.event.type, job.result, maxPayload) };
  } catch (error) {
    job.error = error;
    return { ok: false, error: remoteError(error) };
  }
}

function remoteError(error: unknown): { name: string; message: string; code?: string } {
  const name = error instanceof Error ? error.name : 'Error';
  const code = typeof error === 'object' && error !== null ? (error as { code?: unknown }).code : undefined;
  const message = messageOf(error);
  return typeof code === 'string' || typeof code === 'number'
    ? { name, message, code: String(code) }
    : { name, message };
}
