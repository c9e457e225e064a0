// An `oidc-provider` adapter on SQLite: write-ahead log, synchronous=FULL, one statement and thus one
// durable commit per write. Node's own SQLite, so that nothing has to be compiled.
// Registration writes and reads clients; the rest of the adapter's interface is not called here.

import { DatabaseSync } from 'node:sqlite';

export function durable(file) {
  const database = new DatabaseSync(file);
  database.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-8192;');
  database.exec(`CREATE TABLE IF NOT EXISTS entry (
    model TEXT NOT NULL, id TEXT NOT NULL, payload TEXT NOT NULL, expires_at INTEGER,
    PRIMARY KEY (model, id)
  ) STRICT, WITHOUT ROWID`);
  const put = database.prepare(
    `INSERT INTO entry (model, id, payload, expires_at) VALUES (?, ?, ?, ?)
     ON CONFLICT (model, id) DO UPDATE SET payload = excluded.payload, expires_at = excluded.expires_at`,
  );
  const get = database.prepare('SELECT payload FROM entry WHERE model = ? AND id = ?');
  const remove = database.prepare('DELETE FROM entry WHERE model = ? AND id = ?');

  return class DurableAdapter {
    constructor(model) {
      this.model = model;
    }

    async upsert(id, payload, expiresIn) {
      const expiresAt = expiresIn ? Math.floor(Date.now() / 1000) + expiresIn : null;
      put.run(this.model, id, JSON.stringify(payload), expiresAt);
    }

    async find(id) {
      const row = get.get(this.model, id);
      return row ? JSON.parse(row.payload) : undefined;
    }

    async destroy(id) {
      remove.run(this.model, id);
    }
  };
}
