import { connect } from 'node:net';

export type Reply = string | number | null | Error | Reply[];

/** A reply and where the next one begins; undefined while bytes are missing. */
function parse(data: Buffer, at: number): { reply: Reply; end: number } | undefined {
  const eol = data.indexOf('\r\n', at);
  if (eol < 0) return undefined;
  const kind = data.toString('latin1', at, at + 1);
  const head = data.toString('utf8', at + 1, eol);
  const next = eol + 2;
  if (kind === '+') return { reply: head, end: next };
  if (kind === '-') return { reply: new Error(head), end: next };
  if (kind === ':') return { reply: Number(head), end: next };
  const size = Number(head);
  if (size < 0) return { reply: null, end: next };
  if (kind === '$') {
    if (data.length < next + size + 2) return undefined;
    return { reply: data.toString('utf8', next, next + size), end: next + size + 2 };
  }
  if (kind !== '*') throw new Error(`not a Redis reply: ${kind}${head}`);
  const items: Reply[] = [];
  let end = next;
  for (let index = 0; index < size; index += 1) {
    const item = parse(data, end);
    if (!item) return undefined;
    items.push(item.reply);
    end = item.end;
  }
  return { reply: items, end };
}

export interface Address {
  readonly host: string;
  readonly port: number;
  readonly password?: string;
  readonly username?: string;
}

/** One command on a connection of its own, without a client library: tests may mock or remove ioredis. */
export async function command(address: Address, args: readonly (string | number)[], timeout = 10_000): Promise<Reply> {
  const all: (readonly (string | number)[])[] = [args];
  if (address.password !== undefined && address.password !== '') {
    all.unshift(['AUTH', ...(address.username ? [address.username] : []), address.password]);
  }
  const replies = await exchange(address, all, timeout);
  const failed = replies.find((reply) => reply instanceof Error);
  if (failed instanceof Error) throw failed;
  return replies.at(-1) ?? null;
}

function exchange(
  { host, port }: Address,
  commands: readonly (readonly (string | number)[])[],
  timeout: number,
): Promise<Reply[]> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    let data = Buffer.alloc(0);
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(timeout, () => {
      fail(new Error(`no reply from ${host}:${String(port)} to ${String(commands.at(-1)?.[0])}`));
    });
    socket.on('error', fail);
    socket.on('close', () => {
      fail(new Error(`${host}:${String(port)} closed the connection`));
    });
    socket.on('connect', () => {
      socket.write(commands.map(encode).join(''));
    });
    socket.on('data', (chunk) => {
      data = Buffer.concat([data, chunk]);
      try {
        const replies: Reply[] = [];
        let end = 0;
        while (replies.length < commands.length) {
          const item = parse(data, end);
          if (!item) return;
          replies.push(item.reply);
          end = item.end;
        }
        resolve(replies);
        socket.destroy();
      } catch (error) {
        fail(error as Error);
      }
    });
  });
}

function encode(args: readonly (string | number)[]): string {
  const parts = args.map((arg) => `$${String(Buffer.byteLength(String(arg)))}\r\n${String(arg)}\r\n`);
  return `*${String(args.length)}\r\n${parts.join('')}`;
}

/** As `redis-cli` prints it to a pipe: one item a line. */
export function format(reply: Reply): string {
  if (Array.isArray(reply)) return reply.map(format).join('\n');
  if (reply instanceof Error) return reply.message;
  return reply === null ? '' : String(reply);
}
