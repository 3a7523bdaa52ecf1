-- The tables of one type as version 0.1 first made them.
CREATE TABLE pileus_counter (
    id INTEGER NOT NULL,
    n BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE pileus_keys (
    scope VARCHAR(64) NOT NULL,
    body_hash VARCHAR(64) NOT NULL,
    status INTEGER NOT NULL,
    headers TEXT NOT NULL,
    body TEXT NOT NULL,
    at VARCHAR(27) NOT NULL,
    PRIMARY KEY (scope)
);
CREATE INDEX ix_pileus_keys_at ON pileus_keys (at);
CREATE TABLE pileus_revisions (
    number BIGINT NOT NULL,
    type VARCHAR(48) NOT NULL,
    record_id VARCHAR(36) NOT NULL,
    record_generation BIGINT NOT NULL,
    action VARCHAR(16) NOT NULL,
    document TEXT NOT NULL,
    project_id VARCHAR(64),
    user_id VARCHAR(255),
    request_id VARCHAR(64),
    at VARCHAR(27) NOT NULL,
    PRIMARY KEY (number)
);
CREATE INDEX ix_pileus_revisions_record ON pileus_revisions (record_id, number);
CREATE TABLE pileus_tags (
    type VARCHAR(48) NOT NULL,
    record_id VARCHAR(36) NOT NULL,
    tag VARCHAR(60) NOT NULL,
    PRIMARY KEY (type, record_id, tag)
);
CREATE INDEX ix_pileus_tags_tag ON pileus_tags (type, tag, record_id);
CREATE TABLE r_desks (
    id VARCHAR(36) NOT NULL,
    project_id VARCHAR(64) NOT NULL,
    generation BIGINT NOT NULL,
    created_at VARCHAR(27) NOT NULL,
    updated_at VARCHAR(27) NOT NULL,
    tags TEXT NOT NULL,
    metadata TEXT NOT NULL,
    name VARCHAR(64) NOT NULL,
    bought_at VARCHAR(27),
    PRIMARY KEY (id),
    CONSTRAINT uq_desks_name UNIQUE (project_id, name)
);
CREATE INDEX ix_desks_bought_at ON r_desks (project_id, bought_at, id);
CREATE INDEX ix_desks_created_at ON r_desks (project_id, created_at, id);
CREATE INDEX ix_desks_id ON r_desks (project_id, id);
CREATE INDEX ix_desks_updated_at ON r_desks (project_id, updated_at, id);
