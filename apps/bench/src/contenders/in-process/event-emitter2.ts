import { EventEmitter2 } from '@nestjs/event-emitter';
import { EVENT_TYPE, type Payload } from '../payload.js';
import type { OpenInProcessSystem } from './in-process-system.js';

/** What stands behind @nestjs/event-emitter, by itself: it knows no errors of handlers, no contexts, no copies. */
export const openEventEmitter2: OpenInProcessSystem = (_setup, handle) => {
  const emitter = new EventEmitter2({ wildcard: true });
  emitter.on(EVENT_TYPE, handle);
  return Promise.resolve({
    publish: (payload: Payload) => emitter.emitAsync(EVENT_TYPE, payload),
    emit: (payload: Payload) => emitter.emit(EVENT_TYPE, payload),
    close: () => {
      emitter.removeAllListeners();
      return Promise.resolve();
    },
  });
};
