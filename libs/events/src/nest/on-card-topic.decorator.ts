import type { Listenable } from '../bus/publish-options.js';
import { addDeclaration, WHOLE_CLASS, type DeclaredHandler } from './handler-metadata.js';
import type { OnCardTopicOptions } from './on-card-topic-options.js';

/** What one `@OnCardTopic` says; it is found where handlers are. */
export interface DeclaredCardHandler extends DeclaredHandler {
  readonly cards: OnCardTopicOptions;
}

/**
 * Makes a method of a provider or controller handle the events of a topic's cards, in strict order: the events of a card one
 * after the other, by one process at a time, those of different cards at the same time. It is called with the payload
 * (deep-frozen) and a `CardContext`; throwing is failing, and the card waits with what failed.
 *
 * ```ts
 * @OnCardTopic('comment')
 * async onComment(comment: Comment, { cardId, sequence, fencingToken }: CardContext) {}
 *
 * @OnCardTopic(['order', 'refund'], { events: [OrderPaid, OrderRefunded], onExhausted: 'park' })
 * async account(event: OrderPaid | OrderRefunded, context: CardContext) {}
 * ```
 *
 * A topic has one handler in a process, and the processes of one service. Providers, guards, interceptors, pipes and exception
 * filters as with `@OnEvent`.
 *
 * Whatever is wrong with the declaration is an error at start, not here.
 *
 * @param listenable a topic (a name, no pattern), an `@EventType` class, which stands for the topic of its type, or a list of them
 */
export function OnCardTopic(listenable: Listenable, options: OnCardTopicOptions = {}): MethodDecorator {
  return (target, key: string | symbol | undefined, descriptor?: PropertyDescriptor) => {
    const declared: DeclaredCardHandler = { listenable, options: {}, cards: options };
    addDeclaration(target, key ?? WHOLE_CLASS, descriptor?.value, declared);
  };
}

export function isCardHandler(declared: DeclaredHandler): declared is DeclaredCardHandler {
  return 'cards' in declared;
}
