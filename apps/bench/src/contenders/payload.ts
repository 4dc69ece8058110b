/** The payloads of every bench: all contenders get the same ones. */
export interface Payload {
  readonly i: number;
}

export const EVENT_TYPE = 'bench.order.created';

const FIRST = 1_000_000;
const BYTES = 150;

/** `{"i":1}` */
export function small(i: number): Payload {
  return { i };
}

/** An order of 150 bytes of JSON. */
export function order(i: number): Payload {
  return {
    i: FIRST + i,
    orderId: 'b2c9a6d4-7f1e-4d0c-9a53-2f6c1f0e8d77',
    customer: 'customer-42',
    amount: 1999,
    currency: 'EUR',
    lines: ['sku-1001', 'sku-2002'],
  } as Payload;
}

/** The `i` that `order` was made with. */
export function orderNumber(payload: Payload): number {
  return payload.i - FIRST;
}

const size = JSON.stringify(order(0)).length;
if (size !== BYTES) throw new Error(`The payload is ${size} bytes, not ${BYTES}.`);
