export { EventType, type EventClass, type EventTypeInfo, type EventTypeOptions } from './core/event-class.js';
export type { SchemaIssue, SchemaResult, StandardSchema } from './core/standard-schema.js';
export type { UpcastFunction } from './core/upcasters.js';
export { CronEvents, DataEvents, UserEvents } from './core/common-events.js';
export type { CardContext, ContextLogger, EventContext, PublishReceipt } from './core/context.js';
export type { EnvelopeInit, EventEnvelope, EventHeaders, EventMode } from './core/envelope.js';
export type { CardBatchHandler, CardHandler, EventHandler } from './core/handler.js';
export { InvalidCardError, TopicInUseError } from './core/card-errors.js';
export { HandlersFailedError, PublishManyError } from './core/publish-errors.js';
export { BatchError, HandlerCrashedError, HandlerTimeoutError, Reject, RetryLater } from './core/handler-errors.js';
export type { CardFilter, Filter } from './core/filter.js';
export type { OnExhausted } from './core/declaration.js';
export type { RetryPolicy } from './core/retry-policy.js';
export {
  BackendError,
  BackendUnavailableError,
  BusClosedError,
  EventLoopError,
  EventSerializationError,
  EventValidationError,
  EventsConfigError,
  EventsError,
  EventsOverloadedError,
  InstanceIdInUseError,
  InvalidEventError,
  InvalidEventTypeError,
  InvalidHandlerError,
  InvalidOptionError,
  InvalidPatternError,
  MissingDependencyError,
  NoHandlerError,
  NoSuchInstanceError,
  PayloadTooLargeError,
  RemoteHandlerError,
  RequestTimeoutError,
  ResponderLostError,
  StreamFullError,
  UnknownBusError,
  UnroutableError,
  UnsupportedError,
  UnsupportedVersionError,
  WaitAbortedError,
  isEventsError,
  type EventsErrorCode,
  type ValidationIssue,
} from './core/errors.js';
export type {
  Backend,
  BusOptions,
  CardEncoding,
  CardOptions,
  DriverFactory,
  Duration,
  EventsModuleOptions,
  ExchangeType,
  HandlerDefaults,
  Overflow,
  RedisLike,
  ResolvedBusOptions,
  ResolvedCardOptions,
  ResolvedHandlerDefaults,
  RetryOptions,
} from './ports/options.js';
export type { Clock, Timer } from './core/clock.js';
export type { DeadLetterReason, DeadLetterRow, Delivery, Reply, RetryRow, Verdict } from './core/delivery.js';
export type { EventsLogger } from './ports/logger.js';
export type * from './ports/driver.js';
export type * from './ports/cards.js';
export type * from './ports/stores.js';
export { EventBus, type ReceivedEvent } from './bus/event-bus.js';
export { Cards, type CardInfo, type CardList, type CardListOptions, type UnregisterOptions } from './bus/cards.js';
export type {
  CardEventToPublish,
  CardHandlingOptions,
  CardIdempotentOptions,
  CardPublishOptions,
  CardSubscribeOptions,
} from './bus/card-options.js';
export {
  DeadLetters,
  type DeadEvent,
  type DeadLetter,
  type DeadLetterFilter,
  type ReplayOptions,
} from './bus/dead-letters.js';
export type { ReplayResult } from './bus/replay.js';
export type { HandlingOptions, IdempotentOptions } from './bus/handling-options.js';
export type { Page, PageOptions } from './bus/page.js';
export type { PulledEvent, StreamOptions } from './bus/stream.js';
export type {
  EventToPublish,
  Listenable,
  PublishOptions,
  PublishRetry,
  RequestOptions,
} from './bus/publish-options.js';
export type { SubscribeOptions, Subscription } from './bus/subscription.js';
export { SystemEvents, type SystemError, type SystemLife, type SystemWarning } from './bus/system-events.js';
export { EventService } from './runtime/event-service.js';
export { createEventBus, type CreateEventBusOptions, type UpcastDeclaration } from './runtime/create-event-bus.js';
export * from './nest/index.js';
