import { describe, expect, it } from '@jest/globals';
import { readChanges } from '../history/history.js';
import { endingOf, isRules, ReviewRules, RulesAdded } from './rules.js';

describe('review rules', () => {
  it.each([
    ['.github/workflows/ci.yml', '.yml'],
    ['lib/reply.test.js', '.js'],
    ['.gitignore', '.gitignore'],
    ['examples/.npmrc', '.npmrc'],
    ['docs.d/LICENSE', 'LICENSE'],
  ])('%s ends in %s', (file, ending) => {
    expect(endingOf(file)).toBe(ending);
  });

  it('know every file of the history but those in .yaml', () => {
    const rules = new ReviewRules();
    const unknown = readChanges().filter(({ file }) => rules.teamOf(endingOf(file)) === undefined);
    expect(unknown.map(({ file }) => file)).toEqual([
      '.markdownlint-cli2.yaml',
      '.markdownlint-cli2.yaml',
      '.borp.yaml',
    ]);
  });

  it('can be added to, and replaced', () => {
    const rules = new ReviewRules();
    rules.add(new RulesAdded({ '.yaml': 'tools', '.sh': 'tools' }));
    expect(rules.all).toMatchObject({ '.yaml': 'tools', '.sh': 'tools', '.js': 'code' });
  });

  it.each([undefined, null, 'x', [], {}, { '.yaml': 1 }, { '.yaml': '' }, { '': 'tools' }])(
    '%j are no rules',
    (value) => {
      expect(isRules(value)).toBe(false);
    },
  );
});
