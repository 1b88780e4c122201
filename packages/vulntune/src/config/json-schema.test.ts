import { describe, expect, it } from 'vitest';
import { configOptions } from './options.ts';
import { configJsonSchema } from './printed-schema.ts';

describe('the JSON Schema', () => {
	const schema = configJsonSchema();

	it('requires what has no default and refuses unknown keys', () => {
		expect(schema).toMatchObject({
			type: 'object',
			required: ['model', 'data', 'method'],
			additionalProperties: false,
		});
		expect(schema.properties?.training).toMatchObject({ additionalProperties: false });
	});

	it('says where an option has a meaning, and uses no word of its own', () => {
		const { method, loss, sequence } = schema.properties!;
		expect(method!.properties!.rank!.description).toMatch(/ \(only with method\.type qlora or lora\)$/);
		expect(loss!.properties!.gamma!.description).toMatch(/ \(only with loss\.type focal\)$/);
		expect(sequence!.description).toMatch(/ \(not with method\.type ngram\)$/);
		expect(JSON.stringify(schema)).not.toMatch(/"(needs|absent)":/);
	});

	it('allows a bare word for backend', () => {
		const [word, section] = schema.properties!.backend!.anyOf!;
		expect(word!.enum).toContain('cpu');
		expect(section!.properties).toHaveProperty('threads');
	});
});

describe('options', () => {
	it('have a line of docs each', () => {
		for (const { name, description } of configOptions) {
			expect(description, name).toMatch(/^\S.{8,130}$/);
		}
	});

	it('have a default, save those that are required or depend on others', () => {
		const open = configOptions.filter((option) => option.default === undefined).map(({ name }) => name);
		expect(open).toEqual(['model', 'data.path', 'method.type', 'method.base', 'output']);
		const required = configOptions.filter((option) => option.isRequired).map(({ name }) => name);
		expect(required).toEqual(['model', 'data.path', 'method.type']);
	});
});
