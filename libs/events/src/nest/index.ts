export { EventsModule } from './events.module.js';
export type { EventsModuleAsyncOptions, EventsOptionsFactory } from './module-options.js';
export { OnCardTopic } from './on-card-topic.decorator.js';
export type { OnCardTopicOptions } from './on-card-topic-options.js';
export { OnEvent } from './on-event.decorator.js';
export type { OnEventOptions } from './on-event-options.js';
export { Upcast, type UpcastOptions } from './upcast.decorator.js';
export { EVENT_SERVICE, getBusToken, InjectBus } from './tokens.js';
export { EventRequest } from './event-request.js';
