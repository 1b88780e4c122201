/** What was written of a detector for another runtime. */
export interface WrittenExport {
	readonly tensors: number;
	readonly files: readonly string[];
	/** What a user of the files must know. */
	readonly warnings: readonly string[];
}

/** What whoever asks for a file may want to know and to stop meanwhile. */
export interface WriteListeners {
	readonly progress?: (done: number, total: number) => void;
	readonly signal?: AbortSignal;
}
