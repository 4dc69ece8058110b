import { BadRequestException, Body, Controller, Get, Post, UseFilters } from '@nestjs/common';
import { EventService } from 'nestjs-cardinal';
import { EventsErrorFilter } from '../http/events-error.filter.js';
import { Review } from './review.js';
import { isRules, ReviewRules, RulesAdded, type Rules } from './rules.js';

@Controller('review')
@UseFilters(EventsErrorFilter)
export class ReviewController {
  constructor(
    private readonly events: EventService,
    private readonly review: Review,
    private readonly rules: ReviewRules,
  ) {}

  /** Changes by team, of those that this process has handled. */
  @Get()
  assigned(): Readonly<Record<string, number>> {
    return this.review.assigned;
  }

  @Get('rules')
  all(): Rules {
    return this.rules.all;
  }

  /** Tells every process. Answers when this one knows. */
  @Post('rules')
  async add(@Body() rules: unknown): Promise<Rules> {
    if (!isRules(rules)) throw new BadRequestException('Expected {"<ending>": "<team>"}, such as {".yaml": "tools"}');
    await this.events.publish(new RulesAdded(rules), { settle: true });
    return rules;
  }
}
