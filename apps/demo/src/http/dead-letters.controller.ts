import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  HttpStatus,
  NotFoundException,
  Param,
  Post,
  Query,
  UseFilters,
} from '@nestjs/common';
import { EventService, type DeadLetter, type Page, type ReplayResult } from 'nestjs-cardinal';
import { filterOf, pageOf, replayOf } from './dead-letter-requests.js';
import { EventsErrorFilter } from './events-error.filter.js';

/** A letter without its stack and its event. */
type DeadLetterRow = Omit<DeadLetter, 'stack' | 'event'>;

/** What handlers have given up, of every group and of all processes on the bus. */
@Controller('dead-letters')
@UseFilters(EventsErrorFilter)
export class DeadLettersController {
  constructor(private readonly events: EventService) {}

  /** The newest first: `?group=review&type=file.*&handler=…&reason=…&page=1&pageSize=20`. */
  @Get()
  async list(@Query() query: Record<string, unknown>): Promise<Page<DeadLetterRow>> {
    const { page, pageSize, ...filter } = query;
    const letters = await this.events.deadLetters.list({ ...filterOf(filter), ...pageOf({ page, pageSize }) });
    return { ...letters, items: letters.items.map(({ stack: _, event: __, ...row }) => row) };
  }

  @Get(':id')
  async get(@Param('id') id: string): Promise<DeadLetter> {
    const letter = await this.events.deadLetters.get(id);
    if (!letter) throw new NotFoundException(`There is no dead letter ${id}`);
    return letter;
  }

  /** `{"id": "…"}`, or a filter such as `{"group": "review"}`; with it `dryRun`, `limit`, `maxFailures`. */
  @Post('replay')
  @HttpCode(HttpStatus.OK)
  replay(@Body() body: unknown): Promise<ReplayResult> {
    const { which, options } = replayOf(body);
    return this.events.deadLetters.replay(which, options);
  }

  @Delete(':id')
  @HttpCode(HttpStatus.NO_CONTENT)
  async discard(@Param('id') id: string): Promise<void> {
    const gone = await this.events.deadLetters.discard(id);
    if (gone === 0) throw new NotFoundException(`There is no dead letter ${id}`);
  }
}
