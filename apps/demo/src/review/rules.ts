import { Injectable } from '@nestjs/common';
import { EventType, OnEvent } from 'nestjs-cardinal';

/** Which team reviews the files of an ending. */
export type Rules = Readonly<Record<string, string>>;

/** Everybody's first rules. Whoever wrote them knew `.yml`, and forgot `.yaml`. */
const ENDINGS: Readonly<Record<string, readonly string[]>> = {
  code: ['.js', '.ts', '.mjs', '.mts', '._js_', '.sh'],
  docs: ['.md', '.svg', '.drawio', 'LICENSE'],
  tools: ['.json', '.yml', '.taprc', '.npmrc', '.npmignore', '.eslintrc', '.prettierignore', '.editorconfig'],
  repository: ['.gitignore', '.gitattributes'],
  tests: ['.cert', '.key', 'tap-parallel-not-ok'],
};

/** New rules, for every process that reviews. */
@EventType('review.rules')
export class RulesAdded {
  constructor(readonly rules: Rules) {}
}

/** The rules as this process knows them. They live in memory. */
@Injectable()
export class ReviewRules {
  private readonly teams = new Map(
    Object.entries(ENDINGS).flatMap(([team, endings]) => endings.map((ending) => [ending, team] as const)),
  );

  /** Without a group, so that it runs in every process. */
  @OnEvent(RulesAdded, { name: 'review-rules' })
  add({ rules }: RulesAdded): void {
    for (const [ending, team] of Object.entries(rules)) this.teams.set(ending, team);
  }

  teamOf(ending: string): string | undefined {
    return this.teams.get(ending);
  }

  get all(): Rules {
    return Object.fromEntries(this.teams);
  }
}

/** `.yml` of `.github/workflows/ci.yml`; the name where there is no more of it: `LICENSE`, `.gitignore`. */
export function endingOf(file: string): string {
  const name = file.slice(file.lastIndexOf('/') + 1);
  return name.slice(Math.max(name.lastIndexOf('.'), 0));
}

export function isRules(value: unknown): value is Rules {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const rules = Object.entries(value);
  return rules.length > 0 && rules.every(([ending, team]) => ending !== '' && typeof team === 'string' && team !== '');
}
