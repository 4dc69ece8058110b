import {
  BadRequestException,
  Body,
  Controller,
  Get,
  Headers,
  NotFoundException,
  Param,
  ParseIntPipe,
  Post,
  Query,
  UseFilters,
} from '@nestjs/common';
import { EventService, type PublishReceipt } from 'nestjs-cardinal';
import { SelfCheck, type CheckResult } from '../check/self-check.js';
import type { TopFiles } from '../handlers/leaderboard.js';
import { LineTotals } from '../handlers/line-totals.js';
import { SUBSCRIBERS } from '../handlers/subscribers.js';
import { isFileChange } from '../history/file-events.js';
import { Ledger } from '../ledger/ledger.js';
import { EventsErrorFilter } from './events-error.filter.js';
import { toPage } from './page.js';
import { StatusReader, type Status } from './status.js';

interface FileAnswer {
  readonly file: string;
  readonly lines: number;
  readonly byHand: number;
  readonly changes: number;
  readonly seq: number;
}

interface HandledAnswer {
  readonly instanceId: string;
  readonly subscribers: readonly { name: string; events: number; repeats: number; seqs: readonly number[] }[];
}

@Controller()
@UseFilters(EventsErrorFilter)
export class ActivityController {
  constructor(
    private readonly events: EventService,
    private readonly status: StatusReader,
    private readonly totals: LineTotals,
    private readonly ledger: Ledger,
    private readonly check: SelfCheck,
  ) {}

  /** What happens: a page for a browser, JSON for everybody else. */
  @Get()
  async overview(@Headers('accept') accept = ''): Promise<Status | string> {
    const status = this.status.read();
    if (!accept.includes('text/html')) return status;
    return toPage(status, await this.leaderboard(10));
  }

  @Get('leaderboard')
  leaderboard(@Query('limit', new ParseIntPipe({ optional: true })) limit = 10): Promise<TopFiles> {
    return this.events.publishAndWait<TopFiles>('leaderboard.top', { limit });
  }

  @Get('files/*path')
  file(@Param('path') path: string | readonly string[]): FileAnswer {
    const name = typeof path === 'string' ? path : path.join('/');
    const found = this.totals.get(name);
    if (!found) throw new NotFoundException(`No event has named the file ${name}`);
    return { ...found, lines: found.lines + found.byHand };
  }

  /** Publishes an event by hand. Answers when the handlers of this process have had it, so that the next GET shows it. */
  @Post('events')
  async publish(@Body() body: { type?: unknown; payload?: unknown } | undefined): Promise<PublishReceipt> {
    const { type, payload } = body ?? {};
    if (typeof type !== 'string') throw new BadRequestException('Expected {"type": "…", "payload": …}');
    if (type.startsWith('file.') && !isFileChange(payload)) {
      throw new BadRequestException('The payload of a file event is {"file": "…", "plus": 1, "minus": 0}');
    }
    return this.events.publish(type, payload, { settle: true });
  }

  @Get('check')
  selfCheck(): CheckResult {
    return this.check.result();
  }

  /** What this process has handled: with several, their lists together are the history. */
  @Get('handled')
  handled(): HandledAnswer {
    const subscribers = SUBSCRIBERS.map(({ name }) => {
      const { events, repeats, seqs } = this.ledger.account(name);
      return { name, events, repeats, seqs: [...seqs].sort((a, b) => a - b) };
    });
    return { instanceId: this.events.instanceId, subscribers };
  }
}
