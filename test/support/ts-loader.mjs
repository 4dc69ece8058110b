// node --import ts-loader.mjs file.ts: transpiles .ts modules with swc, decorators and their metadata included.
import { register } from 'node:module';

register('./ts-hooks.mjs', import.meta.url);
