BEGIN TRANSACTION;
CREATE TABLE access_codes (
	access_code_id VARCHAR(36) NOT NULL, 
	device_id VARCHAR(36) NOT NULL, 
	managed BOOLEAN NOT NULL, 
	name VARCHAR, 
	code VARCHAR, 
	starts_at_s BIGINT, 
	ends_at_s BIGINT, 
	created_at_ms BIGINT NOT NULL, 
	external_modification_allowed BOOLEAN DEFAULT 0 NOT NULL, 
	state VARCHAR DEFAULT 'active' NOT NULL, 
	deleted_at_ms BIGINT, 
	announced VARCHAR, 
	removed_announced BOOLEAN DEFAULT 0 NOT NULL, 
	slot INTEGER, 
	conversion VARCHAR, 
	common_code_key VARCHAR, asked_at_ms BIGINT DEFAULT 0 NOT NULL, taken_off BOOLEAN DEFAULT 0 NOT NULL, one_time BOOLEAN DEFAULT 0 NOT NULL, used_at_ms BIGINT, 
	CONSTRAINT pk_access_codes PRIMARY KEY (access_code_id), 
	CONSTRAINT ck_access_codes_window_whole CHECK ((starts_at_s IS NULL) = (ends_at_s IS NULL)), 
	CONSTRAINT ck_access_codes_window_forward CHECK (starts_at_s < ends_at_s), 
	CONSTRAINT fk_access_codes_device_id_devices FOREIGN KEY(device_id) REFERENCES devices (device_id)
);
INSERT INTO "access_codes" VALUES('11111111-1111-4111-8111-111111111111','0b5ad5c1-2f40-5a3c-9d0a-5d3c1a2b3c4d',1,'Ann','482913',1799996400,1800082800,1799999000003,1,'active',NULL,'set',0,3,NULL,NULL,1799999000003,0,1,1799999000010);
INSERT INTO "access_codes" VALUES('22222222-2222-5222-8222-222222222222','0b5ad5c1-2f40-5a3c-9d0a-5d3c1a2b3c4d',0,'Keypad code 4','4711',NULL,NULL,1799999000004,0,'active',NULL,NULL,0,4,'requested',NULL,1799999000004,0,0,NULL);
INSERT INTO "access_codes" VALUES('33333333-3333-4333-8333-333333333333','0b5ad5c1-2f40-5a3c-9d0a-5d3c1a2b3c4d',1,NULL,'591024',NULL,NULL,1799999000005,0,'deleted',1799999100000,NULL,0,NULL,NULL,NULL,1799999000005,0,0,NULL);
CREATE TABLE action_attempts (
	action_attempt_id VARCHAR(36) NOT NULL, 
	action_type VARCHAR NOT NULL, 
	device_id VARCHAR(36), 
	access_code_id VARCHAR(36), 
	created_at_ms BIGINT NOT NULL, 
	finished VARCHAR, 
	error_type VARCHAR, 
	error_message VARCHAR, 
	CONSTRAINT pk_action_attempts PRIMARY KEY (action_attempt_id)
);
INSERT INTO "action_attempts" VALUES('55555555-5555-4555-8555-555555555555','CREATE_ACCESS_CODE','0b5ad5c1-2f40-5a3c-9d0a-5d3c1a2b3c4d','11111111-1111-4111-8111-111111111111',1799999000003,NULL,NULL,NULL);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0008');
CREATE TABLE code_errors (
	access_code_id VARCHAR(36) NOT NULL, 
	error_code VARCHAR NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	message VARCHAR NOT NULL, 
	detail JSON NOT NULL, is_warning BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_code_errors PRIMARY KEY (access_code_id, error_code), 
	CONSTRAINT fk_code_errors_access_code_id_access_codes FOREIGN KEY(access_code_id) REFERENCES access_codes (access_code_id)
);
INSERT INTO "code_errors" VALUES('11111111-1111-4111-8111-111111111111','duplicate_code_on_device',1799999000006,'Duplicate access code detected on device.','{"unmanaged_access_code_id": "22222222-2222-5222-8222-222222222222"}',0);
CREATE TABLE deliveries (
	webhook_id VARCHAR(36) NOT NULL, 
	seq BIGINT NOT NULL, 
	device_id VARCHAR(36), 
	attempts INTEGER NOT NULL, 
	next_at_ms BIGINT NOT NULL, 
	CONSTRAINT pk_deliveries PRIMARY KEY (webhook_id, seq), 
	CONSTRAINT fk_deliveries_webhook_id_webhooks FOREIGN KEY(webhook_id) REFERENCES webhooks (webhook_id), 
	CONSTRAINT fk_deliveries_seq_events FOREIGN KEY(seq) REFERENCES events (seq)
);
INSERT INTO "deliveries" VALUES('66666666-6666-4666-8666-666666666666',1,'0b5ad5c1-2f40-5a3c-9d0a-5d3c1a2b3c4d',2,1799999000009);
CREATE TABLE devices (
	device_id VARCHAR(36) NOT NULL, 
	serial VARCHAR(16) NOT NULL, 
	name VARCHAR NOT NULL, 
	simulated BOOLEAN NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	capacity INTEGER, 
	pin_min INTEGER, 
	pin_max INTEGER, 
	table_epoch VARCHAR, 
	generation BIGINT DEFAULT 0 NOT NULL, 
	journal_epoch VARCHAR, 
	journal_cursor BIGINT DEFAULT 0 NOT NULL, 
	boot_id VARCHAR, 
	link_state VARCHAR DEFAULT 'new' NOT NULL, 
	link_changed_at_ms BIGINT NOT NULL, 
	clock_trusted BOOLEAN DEFAULT 0 NOT NULL, 
	firmware VARCHAR, health INTEGER DEFAULT 0 NOT NULL, code_lengths JSON, managed BOOLEAN DEFAULT 1 NOT NULL, nickname VARCHAR, time_zone VARCHAR, custom_metadata JSON DEFAULT '{}' NOT NULL, link_reason VARCHAR, conditions JSON DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_devices PRIMARY KEY (device_id), 
	CONSTRAINT uq_devices_serial UNIQUE (serial)
);
INSERT INTO "devices" VALUES('0b5ad5c1-2f40-5a3c-9d0a-5d3c1a2b3c4d','00112233445566aa','Front door',1,1799999000001,30,4,12,'ab12',7,'cd34',9,'ef56','online',1799999000002,1,'0.1.0',0,NULL,1,NULL,NULL,'{}',NULL,'{}');
CREATE TABLE events (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	event_id VARCHAR(36) NOT NULL, 
	event_type VARCHAR NOT NULL, 
	device_id VARCHAR(36), 
	access_code_id VARCHAR(36), 
	occurred_at_ms BIGINT NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	payload JSON NOT NULL, 
	CONSTRAINT uq_events_event_id UNIQUE (event_id)
);
INSERT INTO "events" VALUES(1,'44444444-4444-4444-8444-444444444444','access_code.created','0b5ad5c1-2f40-5a3c-9d0a-5d3c1a2b3c4d','11111111-1111-4111-8111-111111111111',1799999000003,1799999000003,'{}');
CREATE TABLE hub (
	id INTEGER NOT NULL, 
	workspace_id VARCHAR(36) NOT NULL, 
	connected_account_id VARCHAR(36) NOT NULL, 
	created_at_ms BIGINT NOT NULL, custom_metadata JSON DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_hub PRIMARY KEY (id), 
	CONSTRAINT ck_hub_one_row CHECK (id = 1)
);
INSERT INTO "hub" VALUES(1,'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa','bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb',1799999000000,'{}');
CREATE TABLE slots (
	device_id VARCHAR(36) NOT NULL, 
	slot INTEGER NOT NULL, 
	version BIGINT NOT NULL, 
	flags INTEGER NOT NULL, 
	code VARCHAR, 
	from_s BIGINT, 
	until_s BIGINT, 
	op_id VARCHAR NOT NULL, 
	access_code_id VARCHAR(36), 
	maker INTEGER NOT NULL, 
	CONSTRAINT pk_slots PRIMARY KEY (device_id, slot), 
	CONSTRAINT fk_slots_device_id_devices FOREIGN KEY(device_id) REFERENCES devices (device_id)
);
INSERT INTO "slots" VALUES('0b5ad5c1-2f40-5a3c-9d0a-5d3c1a2b3c4d',3,5,3,'482913',1799996400,1800082800,'0011223344556677','11111111-1111-4111-8111-111111111111',1);
INSERT INTO "slots" VALUES('0b5ad5c1-2f40-5a3c-9d0a-5d3c1a2b3c4d',4,7,2,'4711',NULL,NULL,'0000000000000000',NULL,0);
CREATE TABLE webhooks (
	webhook_id VARCHAR(36) NOT NULL, 
	url VARCHAR NOT NULL, 
	secret VARCHAR NOT NULL, 
	event_types JSON NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	disabled_at_ms BIGINT, 
	CONSTRAINT pk_webhooks PRIMARY KEY (webhook_id)
);
INSERT INTO "webhooks" VALUES('66666666-6666-4666-8666-666666666666','https://receiver.example/hook','whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA','["*"]',1799999000008,NULL);
CREATE INDEX ix_action_attempts_access_code_id ON action_attempts (access_code_id);
CREATE INDEX ix_action_attempts_created_at_ms_action_attempt_id ON action_attempts (created_at_ms, action_attempt_id);
CREATE INDEX ix_action_attempts_device_id ON action_attempts (device_id);
CREATE INDEX ix_events_access_code_id ON events (access_code_id);
CREATE INDEX ix_events_device_id ON events (device_id);
CREATE INDEX ix_events_occurred_at_ms ON events (occurred_at_ms);
CREATE INDEX ix_access_codes_created_at_ms_access_code_id ON access_codes (created_at_ms, access_code_id);
CREATE INDEX ix_access_codes_device_id_created_at_ms_access_code_id ON access_codes (device_id, created_at_ms, access_code_id);
CREATE INDEX ix_slots_access_code_id ON slots (access_code_id);
CREATE INDEX ix_access_codes_common_code_key ON access_codes (common_code_key);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',1);
COMMIT;
