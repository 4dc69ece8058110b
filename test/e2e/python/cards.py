"""A producer and a consumer of cards in Python: the functions are those that programs of this kind have, word for word.

    python3 cards.py produce <topic> <cards> <events a card>
    python3 cards.py unregister <topic> <card>
    python3 cards.py consume <topic>       prints a line for each event, until it is killed
"""
import asyncio
import json
import os
import sys

from redis.asyncio import Redis


async def produce(redis, topic, card_id, event_data: dict):
    stream_key = f"event_stream:{topic}:{card_id}"
    await redis.xadd(stream_key, event_data)
    # 注册 group 通知（可选）
    await redis.publish("group_change", f"register:{topic}:{card_id}")

# 主动注销 group
async def unregister_group(redis, topic, card_id):
    await redis.publish("group_change", f"unregister:{topic}:{card_id}")


async def handle_event(msg):
    print(json.dumps({key.decode(): value.decode() for key, value in msg.items()}), flush=True)

TOPIC_HANDLERS = {}

async def consume_stream(redis, topic, card_id, consumer_name):
    stream_key = f"event_stream:{topic}:{card_id}"
    group_name = f"{topic}:{card_id}"
    try:
        await redis.xgroup_create(stream_key, group_name, id='0', mkstream=True)
    except Exception:
        pass
    handler = TOPIC_HANDLERS[topic]
    while True:
        events = await redis.xreadgroup(
            group_name, consumer_name,
            streams={stream_key: '>'},
            count=10, block=1000
        )
        if not events:
            continue
        for _, messages in events:
            for msg_id, msg in messages:
                try:
                    await handler(msg)
                    await redis.xack(stream_key, group_name, msg_id)
                except Exception as e:
                    print(f"处理失败: {e}")


async def consume(redis, topic):
    """Starts and ends consumers as the notifications say."""
    TOPIC_HANDLERS[topic] = handle_event
    channel = redis.pubsub()
    await channel.subscribe("group_change")
    print("ready", flush=True)
    tasks = {}
    async for message in channel.listen():
        if message["type"] != "message":
            continue
        change, of, card_id = message["data"].decode().split(":", 2)
        if of != topic:
            continue
        if change == "register" and card_id not in tasks:
            tasks[card_id] = asyncio.create_task(consume_stream(redis, topic, card_id, "python"))
        elif change == "unregister" and card_id in tasks:
            tasks.pop(card_id).cancel()
            print(f"unregistered {card_id}", flush=True)


async def main(what, topic, *rest):
    redis = Redis.from_url(os.environ["REDIS_URL"])
    if what == "produce":
        cards, events = map(int, rest)
        for number in range(events):
            for card in range(cards):
                await produce(redis, topic, f"card:{card}", {"number": number, "card": card})
    elif what == "unregister":
        await unregister_group(redis, topic, rest[0])
    else:
        await consume(redis, topic)
    await redis.close()


asyncio.run(main(*sys.argv[1:]))
