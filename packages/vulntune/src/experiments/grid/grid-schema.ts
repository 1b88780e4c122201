import { z } from 'zod';
import { defineConfig } from '../../config/definition.ts';
import { section } from '../../config/schema-parts.ts';

const settings = z.record(z.string(), z.unknown());

/** Values between two, for a search. */
export const rangeSchema = z.strictObject({
	from: z.number(),
	to: z.number(),
	scale: z.enum(['linear', 'log']).default('linear'),
	whole: z.boolean().default(false),
});

const search = z.strictObject({
	type: z
		.enum(['grid', 'random', 'halving'])
		.default('grid')
		.describe(
			'grid: every combination of the axes; random: samples of them; halving: many samples for few epochs, the best for more',
		),
	samples: z
		.int()
		.min(1)
		.default(16)
		.describe('combinations that are drawn')
		.meta({ needs: { 'search.type': ['random', 'halving'] } }),
	seed: z
		.int()
		.min(0)
		.default(1)
		.describe('of what is drawn')
		.meta({ needs: { 'search.type': ['random', 'halving'] } }),
	reduction: z
		.int()
		.min(2)
		.default(3)
		.describe('one of so many goes on, for so many times the epochs')
		.meta({ needs: { 'search.type': ['halving'] } }),
	minEpochs: z
		.int()
		.min(1)
		.default(1)
		.describe('epochs of the first rung; the last has training.epochs of the config')
		.meta({ needs: { 'search.type': ['halving'] } }),
});

/** A grid file. What stands in `axes`, `cells`, `exclude` and `overrides` is checked against the options of a config by `loadGrid`. */
export const gridSchema = z.strictObject({
	config: z.string().min(1).describe('the config that all cells start from, relative to the grid'),
	name: z
		.string()
		.regex(/^[\w.-]+$/)
		.optional()
		.describe('of the grid in its ledger; by default the name of its file'),
	axes: z
		.record(z.string(), z.unknown())
		.default({})
		.describe('options with their values; a search also takes ranges'),
	cells: z.array(settings).default([]).describe('cells added, each with the options in which it differs'),
	exclude: z.array(settings).default([]).describe('combinations of the axes that are left out'),
	overrides: z
		.array(z.strictObject({ when: settings, set: settings }))
		.default([])
		.describe('options of the cells that `when` fits'),
	search: section(search.shape).describe('how the axes are searched'),
	budget: section({
		hours: z
			.number()
			.positive()
			.nullable()
			.default(null)
			.describe('no cell is begun once all have computed so long'),
	}).describe('when to stop'),
});

export type ParsedGrid = z.output<typeof gridSchema>;
export type AxisRange = z.output<typeof rangeSchema>;

export const gridDefinition = defineConfig(gridSchema, [], { config: '.' });
