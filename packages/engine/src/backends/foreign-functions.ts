import { createRequire } from 'node:module';

/** A library of another language, loaded. */
export interface ForeignLibrary {
	/** A function of it by its prototype in C. Throws where the library has none of that name. */
	func(prototype: string): (...values: unknown[]) => number;
	/** The same by its name and types, for types that have no name in C. */
	func(name: string, result: string, parameters: readonly unknown[]): (...values: unknown[]) => number;
	/** A variable of it. Throws where the library has none of that name. */
	symbol(name: string, type: string): unknown;
}

/** The part of koffi that is used: a call costs 0.2 µs. */
export interface ForeignFunctions {
	/** @param options global: what the library loads in turn sees its functions */
	load(file: string, options?: { readonly global?: boolean }): ForeignLibrary;
	/** The type of a struct that is passed by value. */
	struct(members: Readonly<Record<string, unknown>>): unknown;
	array(type: string, length: number): unknown;
	/** The address of memory, or of a variable. */
	address(place: unknown): bigint;
	/** The bytes at an address, not copied. */
	view(address: bigint, bytes: number): ArrayBuffer;
}

/** Loads koffi, an optional dependency. Throws what Node throws where it isn't installed. */
export function loadForeignFunctions(): ForeignFunctions {
	return createRequire(import.meta.url)('koffi') as ForeignFunctions;
}
