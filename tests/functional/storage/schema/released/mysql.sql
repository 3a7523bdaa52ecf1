-- The tables of one type as version 0.1 first made them.
CREATE TABLE pileus_counter (
    id INTEGER NOT NULL,
    n BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4;
CREATE TABLE pileus_keys (
    scope VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    body_hash VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    status INTEGER NOT NULL,
    headers MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    body MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    at DATETIME(6) NOT NULL,
    PRIMARY KEY (scope)
)ENGINE=InnoDB CHARSET=utf8mb4;
CREATE INDEX ix_pileus_keys_at ON pileus_keys (at);
CREATE TABLE pileus_revisions (
    number BIGINT NOT NULL,
    type VARCHAR(48) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    record_id VARCHAR(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    record_generation BIGINT NOT NULL,
    action VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    document MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    project_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin,
    user_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin,
    request_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin,
    at DATETIME(6) NOT NULL,
    PRIMARY KEY (number)
)ENGINE=InnoDB CHARSET=utf8mb4;
CREATE INDEX ix_pileus_revisions_record ON pileus_revisions (record_id, number);
CREATE TABLE pileus_tags (
    type VARCHAR(48) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    record_id VARCHAR(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    tag VARCHAR(60) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    PRIMARY KEY (type, record_id, tag)
)ENGINE=InnoDB CHARSET=utf8mb4;
CREATE INDEX ix_pileus_tags_tag ON pileus_tags (type, tag, record_id);
CREATE TABLE r_desks (
    id VARCHAR(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    project_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    generation BIGINT NOT NULL,
    created_at DATETIME(6) NOT NULL,
    updated_at DATETIME(6) NOT NULL,
    tags MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    metadata MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    bought_at DATETIME(6),
    PRIMARY KEY (id),
    CONSTRAINT uq_desks_name UNIQUE (project_id, name)
)ENGINE=InnoDB CHARSET=utf8mb4;
CREATE INDEX ix_desks_bought_at ON r_desks (project_id, bought_at, id);
CREATE INDEX ix_desks_created_at ON r_desks (project_id, created_at, id);
CREATE INDEX ix_desks_id ON r_desks (project_id, id);
CREATE INDEX ix_desks_updated_at ON r_desks (project_id, updated_at, id);
