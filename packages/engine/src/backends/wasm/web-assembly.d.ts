/** The part of the JavaScript interface of WebAssembly that is used here; its types belong to those of browsers. */
declare namespace WebAssembly {
	class Module {
		constructor(bytes: ArrayBufferView);
	}
	class Memory {
		constructor(limits: { initial: number; maximum: number; shared: boolean });
		readonly buffer: SharedArrayBuffer;
	}
	class Instance {
		constructor(module: Module, imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>);
		readonly exports: Readonly<Record<string, unknown>>;
	}
}
