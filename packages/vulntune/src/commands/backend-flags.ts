import { configOptions } from '../config/options.ts';
import type { ConfigOverrides } from '../config/overrides.ts';
import { configOverrides } from './schema-flags.ts';

/** What computes, as flags of a command that takes a run as it is. */
export const backendOptions = configOptions.filter(({ name }) => name.startsWith('backend.'));

/** The flags of the backend; the parts of it that aren't given have their defaults then, not the run's values. */
export function backendOverrides(values: Readonly<Record<string, unknown>>): ConfigOverrides {
	const given = configOverrides(values, backendOptions);
	if (Object.keys(given).length === 0) return {};
	return {
		...Object.fromEntries(backendOptions.map((option) => [option.name, String(option.default)])),
		...given,
	};
}
