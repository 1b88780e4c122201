/**
 * What a ledger is made of, version by version: the n-th text takes a ledger of version n - 1 to version n. A text that was ever
 * released is never changed; another one follows it.
 */
export const migrations: readonly string[] = [
	`
CREATE TABLE grids (
	name TEXT PRIMARY KEY,
	file TEXT NOT NULL,
	columns TEXT NOT NULL -- JSON: names of the options in which its cells differ
) STRICT;

CREATE TABLE runs (
	id TEXT PRIMARY KEY, -- hash of resolved config, dataset and base
	folder TEXT NOT NULL, -- relative to the ledger's, absolute where another ledger's run was taken
	status TEXT NOT NULL CHECK (status IN ('pending', 'running', 'finished', 'failed')),
	config TEXT NOT NULL, -- YAML
	dataset_hash TEXT,
	base_fingerprint TEXT, -- JSON
	holder TEXT, -- JSON: the process that computes it
	heartbeat REAL, -- seconds since 1970
	attempts INTEGER NOT NULL DEFAULT 0,
	failed_at REAL,
	error_code TEXT,
	error_message TEXT,
	environment TEXT, -- JSON
	best_epoch INTEGER,
	verdict TEXT,
	seconds REAL,
	peak_bytes INTEGER
) STRICT;

CREATE TABLE cells (
	grid TEXT NOT NULL REFERENCES grids (name),
	position INTEGER NOT NULL,
	name TEXT NOT NULL,
	settings TEXT NOT NULL, -- JSON: option to value, as written in the grid
	run TEXT NOT NULL REFERENCES runs (id),
	PRIMARY KEY (grid, position)
) STRICT;

CREATE TABLE metrics (
	run TEXT NOT NULL REFERENCES runs (id),
	split TEXT NOT NULL,
	detector TEXT NOT NULL, -- 'model', or a baseline
	metric TEXT NOT NULL,
	value REAL,
	low REAL,
	high REAL,
	reason TEXT, -- why value or interval are NULL
	PRIMARY KEY (run, split, detector, metric)
) STRICT;

CREATE TABLE epochs (
	run TEXT NOT NULL REFERENCES runs (id),
	epoch INTEGER NOT NULL,
	loss REAL NOT NULL,
	roc_auc REAL,
	average_precision REAL,
	f1 REAL,
	threshold REAL,
	PRIMARY KEY (run, epoch)
) STRICT;

CREATE TABLE predictions (
	run TEXT NOT NULL REFERENCES runs (id),
	split TEXT NOT NULL,
	file TEXT NOT NULL, -- relative to the run's folder
	PRIMARY KEY (run, split)
) STRICT;
`,
	`
CREATE TABLE differences (
	run TEXT NOT NULL REFERENCES runs (id),
	baseline TEXT NOT NULL,
	metric TEXT NOT NULL,
	value REAL, -- model minus baseline, on the same test functions
	low REAL,
	high REAL,
	p REAL, -- two-sided, not corrected for the number of comparisons
	reason TEXT,
	PRIMARY KEY (run, baseline, metric)
) STRICT;

ALTER TABLE cells ADD COLUMN rung INTEGER NOT NULL DEFAULT 0; -- of successive halving
`,
];

export const ledgerVersion = migrations.length;
