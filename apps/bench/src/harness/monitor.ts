import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { connect as connectTls } from 'node:tls';

/** `+1700000000.123456 [0 127.0.0.1:50000] "xadd" "key" …`; `lua` in place of the address: run by a script. */
const LINE = /^\+[\d.]+ \[\d+ (\S+)\] "([^"]*)"/;

export interface Monitor {
  close(): void;
}

/**
 * The server's MONITOR. On a socket of its own: ioredis 6.0 takes a line that comes in one packet with the answer to
 * MONITOR for the answer to another command, and then connects again without end.
 * @throws Error when the server does not allow it
 */
export async function monitor(url: string, seen: (command: string, source: string) => void): Promise<Monitor> {
  const { protocol, hostname, port, username, password } = new URL(url);
  const address = { host: hostname, port: Number(port || 6379) };
  const socket: Socket = protocol === 'rediss:' ? connectTls(address) : connect(address);
  const lines = createInterface({ input: socket });
  const commands = [['MONITOR']];
  if (password) commands.unshift(['AUTH', decodeURIComponent(username || 'default'), decodeURIComponent(password)]);
  for (const words of commands) socket.write(encode(words));
  let answers = commands.length;
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      lines.on('line', (line) => {
        const match = LINE.exec(line);
        if (match) seen((match[2] ?? '').toLowerCase(), match[1] ?? '');
        else if (line.startsWith('-')) reject(new Error(line.slice(1)));
        else if (--answers === 0) resolve();
      });
    });
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return {
    close: () => {
      lines.close();
      socket.destroy();
    },
  };
}

function encode(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}
