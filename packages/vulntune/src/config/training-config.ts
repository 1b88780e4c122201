import { crossChecks } from './cross-checks.ts';
import { defineConfig } from './definition.ts';
import { configSchema } from './schema.ts';

/** The config of `vulntune train`. */
export const trainingConfig = defineConfig(configSchema, crossChecks, {
	model: '.',
	data: { path: '.' },
	method: { type: 'ngram' },
});
