/** The package's own types lie where TypeScript does not look for them. */
declare module '@moleculer/channels' {
  import type { Middleware } from 'moleculer';

  const channels: { Middleware(options: { adapter: { type: string; options: Record<string, unknown> } }): Middleware };
  export default channels;
}
