-- The store's schema, version 2. Times are UTC where the export states a zone (zoned = true) and
-- local, zone unknown, where it does not. JSON columns hold text: they are read whole or not at all.
CREATE TABLE schema_version (version INTEGER NOT NULL);
INSERT INTO schema_version VALUES (2);

CREATE TABLE sources (
    sha256      VARCHAR NOT NULL,  -- of the export file, or over a folder's files
    options     VARCHAR NOT NULL,  -- importer, its version and the import options, as JSON
    importer    VARCHAR NOT NULL,
    path        VARCHAR NOT NULL,
    read        BIGINT NOT NULL,   -- conversations in it ...
    rejected    BIGINT NOT NULL,   -- ... of which could not be read
    skipped     VARCHAR NOT NULL,  -- ... and were left out on purpose, by reason, as JSON
    messages    BIGINT NOT NULL,
    one_sided   BIGINT NOT NULL,   -- ... and of the stored ones, those with one side only
    imported_at TIMESTAMP NOT NULL
);

CREATE TABLE conversations (
    ord          BIGINT NOT NULL,  -- order of first import; never reused, kept by updates
    id           VARCHAR NOT NULL,
    importer     VARCHAR NOT NULL,
    source       VARCHAR NOT NULL, -- sha256 of the export that it was last read from
    source_id    VARCHAR,
    title        VARCHAR,
    created_at   TIMESTAMP,
    zoned        BOOLEAN,
    participants VARCHAR,
    tools        VARCHAR,
    metadata     VARCHAR,
    content_hash VARCHAR NOT NULL,
    messages     INTEGER NOT NULL,
    updated_at   TIMESTAMP,        -- of the newest message; an older export does not overwrite
    seen         VARCHAR NOT NULL, -- sha256 of the last export that held it
    missing_from VARCHAR           -- sha256 of a newer export of the account that no longer did
);

CREATE TABLE messages (
    ord          BIGINT NOT NULL,  -- its conversation
    position     INTEGER NOT NULL,
    role         VARCHAR NOT NULL,
    -- not packed: that is a fifth of an import's time, and the kept export is packed already
    content      VARCHAR NOT NULL USING COMPRESSION uncompressed,
    name         VARCHAR,
    reasoning    VARCHAR,
    tool_calls   VARCHAR,
    tool_call_id VARCHAR,
    attachments  VARCHAR,
    created_at   TIMESTAMP,
    zoned        BOOLEAN,
    train        BOOLEAN,
    source_id    VARCHAR USING COMPRESSION uncompressed,  -- uuids mostly
    parent_id    VARCHAR USING COMPRESSION uncompressed,
    on_path      BOOLEAN NOT NULL,
    extra        VARCHAR
);

CREATE TABLE rejects (
    source   VARCHAR NOT NULL,     -- sha256 of the export
    importer VARCHAR NOT NULL,
    path     VARCHAR NOT NULL,
    place    VARCHAR NOT NULL,
    reason   VARCHAR NOT NULL,
    hint     VARCHAR NOT NULL
);

-- what the user decided by hand; only ever added to
CREATE TABLE decisions (
    number       BIGINT NOT NULL,  -- of the decision: one command, one number
    time         TIMESTAMP NOT NULL,
    who          VARCHAR NOT NULL,
    action       VARCHAR NOT NULL, -- exclude, include, tag, untag, undo
    conversation VARCHAR,          -- its id
    tag          VARCHAR,
    reason       VARCHAR,
    undoes       BIGINT            -- number of the decision that an undo takes back
);

-- what must not come back, as salted hashes; the one row of kind 'salt' holds the salt
CREATE TABLE forgotten (
    kind   VARCHAR NOT NULL,       -- conversation, participant, text, salt
    hash   VARCHAR NOT NULL,
    length INTEGER,                -- of a text, in characters
    quick  UBIGINT,                -- of a text: a hash that is cheap to look for
    time   TIMESTAMP NOT NULL
);
