import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../../../tests/tiny.ts';
import { dateOf, noProjects, readProjects } from './projects.ts';

it.each([
	['2016-01-31', '2016-01-31T00:00:00Z'],
	['2016-01-31 10:30', '2016-01-31T10:30:00Z'],
	['2016-01-31T10:30:05', '2016-01-31T10:30:05Z'],
	['2016-01-31T10:30:05+02:00', '2016-01-31T08:30:05Z'],
])('takes %s for the same moment on every machine', (date, moment) => {
	expect(dateOf({ date }, noProjects)).toBe(Date.parse(moment));
});

it.each(['commit 5', 'May the 5th', '7'])('takes %j for no date', (date) => {
	expect(dateOf({ date }, noProjects)).toBeNaN();
});

it.each(['{"c":""}', '{"c":{"repo":" "}}', '{"c":{}}'])('refuses %s, which names no project', (text) => {
	const file = path.join(temporaryFolder(), 'projects.json');
	writeFileSync(file, text);
	expect(() => readProjects(file)).toThrow(expect.objectContaining({ code: 'PROJECTS_FILE', place: file }));
});
