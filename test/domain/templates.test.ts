import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PLACE_VARIABLES } from '../../domain/bundle.ts';
import { InvalidInput } from '../../domain/problem.ts';
import { expandTemplate, isSlug, slugOf, templateProblem, templateVariables } from '../../domain/templates.ts';

describe('templates', () => {
  test('fill in names', () => {
    expect(expandTemplate('acme:{env}:{rule}', { env: 'production', rule: 'settings' })).toBe('acme:production:settings');
  });

  test('write a literal brace twice, also around a name', () => {
    expect(expandTemplate('{{acme}}:{{{env}}}', { env: 'rc' })).toBe('{acme}:{rc}');
    expect([...templateVariables('{{acme}}:{env}')]).toEqual(['env']);
  });

  test('refuse an unknown name and list the known ones', () => {
    expect(templateProblem('x:{environment}', PLACE_VARIABLES)).toMatch(
      /\{environment\} is not a name.*\{tenant\} \{env\} \{branch\} \{tag\} \{number\} \{rule\}/,
    );
    expect(templateProblem('x:{env}', PLACE_VARIABLES)).toBeNull();
  });

  test.each(['a{', 'a{env', 'a}b', '{env}}'])('refuse the lonely brace of %s', (text) => {
    expect(templateProblem(text, PLACE_VARIABLES)).toMatch(/no partner/);
  });

  test('name the variable that has no value', () => {
    expect(() => expandTemplate('x:{tag}', { env: 'a' })).toThrow(InvalidInput);
    expect(() => expandTemplate('x:{tag}', { env: 'a' })).toThrow(/"x:\{tag\}" needs \{tag\}/);
  });

  test('do not take a value from the prototype', () => {
    expect(() => expandTemplate('{toString}', {})).toThrow(/needs \{toString\}/);
  });

  test('give any text back when its braces are doubled', () => {
    fc.assert(fc.property(fc.string(), (text) => expandTemplate(text.replaceAll(/[{}]/g, '$&$&'), {}) === text));
  });
});

describe('slugs', () => {
  test.each([
    ['release/1.2', 'release-1-2'],
    ['Feature/ABC_def', 'feature-abc-def'],
    ['a/../../b', 'a-b'],
    ['-x-', 'x'],
  ])('of %s is %s', (name, slug) => {
    expect(slugOf(name)).toBe(slug);
  });

  test.each(['///', 'ü', 'x'.repeat(64), 'release/'.repeat(10), 'constructor'])('are not made of %s', (name) => {
    expect(slugOf(name)).toBeNull();
  });

  test('never hold what could lead a path elsewhere', () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        const slug = slugOf(name);
        return slug === null || (isSlug(slug) && /^[a-z0-9-]+$/.test(slug));
      }),
    );
  });
});
