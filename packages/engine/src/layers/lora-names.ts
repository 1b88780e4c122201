/** What the two matrices of a module's adapter are called: A [r, K] and B [N, r], by PEFT's names without its prefix. */
export function loraNames(module: string): { readonly a: string; readonly b: string } {
	return { a: `${module}.lora_A.weight`, b: `${module}.lora_B.weight` };
}

/** The module of an adapter's matrix, and which of the two it is; undefined for a tensor of another name. */
export function parseLoraName(
	name: string,
): { readonly module: string; readonly part: 'a' | 'b' } | undefined {
	const [, module, part] = /^(.+)\.lora_([AB])\.weight$/.exec(name) ?? [];
	return module === undefined ? undefined : { module, part: part === 'A' ? 'a' : 'b' };
}

/** The modules that have an adapter, in the order of their matrices. */
export function adaptedModules(names: Iterable<string>): string[] {
	const parts = Array.from(names, parseLoraName);
	return parts.flatMap((found) => (found?.part === 'a' ? [found.module] : []));
}
