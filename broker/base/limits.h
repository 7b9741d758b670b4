/* limits.h - the only place for numbers that bound something. Each with its reason. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

enum {
	/* MQTT */
	LIMIT_PACKET_BYTES = 1 << 20, /* default largest packet; four times the largest recording */
	LIMIT_PACKET_BYTES_MAX =
	    16 << 20,             /* what the configuration may ask for: a batch must hold it */
	LIMIT_ORIGIN_BYTES = 128, /* "feed:EPOCH:SEQUENCE": 63 of a name and two numbers */
	LIMIT_TOPIC_BYTES = 1024, /* a topic is kept in every record; the protocol allows 65,535 */
	LIMIT_TOPIC_LEVELS = 32,  /* matching is recursive in '#' and '+': bounds its work */
	LIMIT_CLIENT_ID_BYTES = 256, /* names a session; longer ones are refused with 0x85 */
	LIMIT_SUBSCRIPTIONS = 1000,  /* per session; 0x97 beyond */
	LIMIT_SHARES = 10000, /* groups of shared subscriptions, a row a second each; 0x97 beyond */
	LIMIT_SHARE_FLIGHT = 4096,            /* QoS 1 of one group on the way: 48 KB of its row */
	LIMIT_SUBSCRIPTION_BYTES = 256 << 20, /* filters of all sessions; 0x97 beyond */
	LIMIT_SESSIONS = 100000, /* default: of those that outlive their connection; 0.5 KB each */
	LIMIT_SCAN_RECORDS = 2000, /* read for sessions that catch up together, per turn: 2 ms */
	LIMIT_SCAN_HELD_BYTES =
	    32 << 20, /* for them all, before it is sent: some records a write, not a write each */
	LIMIT_SCAN_HELD_MS = 250,            /* nobody's waits longer for company */
	LIMIT_SCAN_WRITES = 500,             /* then, a turn: 2 ms */
	LIMIT_SESSION_EXPIRY_S = 14 * 86400, /* default: as long as feeds keep messages */
	LIMIT_RETAINED_LOOKUPS = 2000, /* of a session that wait: twice its subscriptions; 0x97 */
	LIMIT_RECEIVE_MAXIMUM =
	    1024, /* inbound QoS > 0 in flight we offer, so window 100 never waits */
	LIMIT_INFLIGHT_OUT = 1024, /* outbound QoS > 0 per session, or the client's own maximum */
	LIMIT_TOPIC_ALIASES = 16,  /* of a publisher: what a device needs; 16 KB per session */
	LIMIT_TOPIC_ALIASES_OUT = 64, /* to a subscriber that takes them; 64 KB per session */
	LIMIT_CONNECTIONS = 50000,    /* default; the process raises its file limit to match */
	LIMIT_ADDRESS_CONNECTIONS =
	    1000,                     /* default, of one address: a vendor's gateway has fewer */
	LIMIT_CONNECT_TIMEOUT_S = 10, /* a connection that has not sent CONNECT by then is closed */
	LIMIT_USER_PROPERTIES_BYTES = 64 << 10, /* the property section of one packet */

	LIMIT_SYSTEM_S = 10, /* values of $SYS are told so often, as Mosquitto does by default */

	/* connections */
	LIMIT_READ_CHUNK_BYTES =
	    64 << 10, /* of one connection per turn of the loop, so none starves others */
	LIMIT_SEND_BUFFER_BYTES =
	    256 << 10, /* above this a subscriber is "slow": it reads from its cursor later */
	LIMIT_LINK_OUT_BYTES = 64 << 20, /* never met: sessions stop at the above and one packet */
	LIMIT_LINK_KEEP_BYTES = 1024,    /* an idle connection keeps no larger send buffer */
	LIMIT_LINK_CLOSE_WAIT_MS = 5000, /* a peer that does not take the goodbye is cut */

	/* batch and journal */
	LIMIT_BATCH_RECORDS = 8000,  /* a commit of 8,000 takes ~5 ms: still under the p99 target */
	LIMIT_BATCH_BYTES = 4 << 20, /* the same bound for large messages */
	LIMIT_BATCH_URGENT_BYTES = 512 << 10, /* kept free for urgent feeds */
	LIMIT_BATCH_BULK_BYTES = 1 << 20,     /* what bulk feeds may take of one commit */
	LIMIT_COMMIT_GAP_US = 3000, /* at low load between commits: halves the CPU per message */
	LIMIT_STORE_FULL_WAIT_S =
	    10,                     /* a publisher waits this long for room, then DISCONNECT 0x97 */
	LIMIT_STORE_RETRY_MS = 250, /* a full store is tried again this often */
	LIMIT_RING_BYTES =
	    16 << 20, /* recent records in memory, over all feeds: half a second at full speed */
	LIMIT_DUPLICATES = 1 << 18, /* records remembered for duplicate detection */
	LIMIT_FEEDS = 1000,         /* a named database each costs 4 ns per feed and commit */
	LIMIT_VERSION_THINGS =
	    1 << 16, /* whose schema version is remembered: 512 KB, stays in the cache */
	LIMIT_UNTIL_WARN_DAYS = 30, /* before a version ends: time to update devices in the field */
	LIMIT_UNTIL_WARN_H = 24,    /* the warning is said again */
	LIMIT_RESERVE_BYTES = 16 << 20, /* disk kept free so that a full store can be trimmed */
	LIMIT_BATCH_ANSWERS = 16000, /* waiting for one commit; refusals cost an answer and a row */
	LIMIT_BATCH_TEXT_BYTES = 4 << 20, /* reasons of one batch's refusals */
	LIMIT_SLAB_BYTES = 256 << 10,     /* records are kept in memory in pieces of this size */
	LIMIT_RING_RECORDS =
	    1 << 17,                 /* of one feed in memory: 16 MB hold no more of the smallest */
	LIMIT_BLOCKS = 64,           /* disk blocks shared by all cursors: 16 MB */
	LIMIT_BLOCK_IDLE_S = 10,     /* an unread block is given back */
	LIMIT_RETENTION_PASS_S = 10, /* each feed's age and size are looked at so often */
	LIMIT_TRIM_RECORDS = 2000, /* retention deletes so many per transaction, between batches */
	LIMIT_TRIM_BYTES =
	    32 << 20, /* and no more than this: its free pages are listed in one row */
	LIMIT_STORE_TXN_BYTES =
	    64 << 20, /* of one write transaction: LMDB 0.9.24 must never spill dirty pages */
	LIMIT_STORE_READERS =
	    64, /* read transactions of one process; a pool, so waiting is short */
	LIMIT_STORE_READER_SLOTS = 256,   /* of all processes: the daemon, a backup, a few tools */
	LIMIT_STORE_COPY_BYTES = 4 << 20, /* one read transaction of a backup: 2 ms */
	LIMIT_STORE_WALK_BYTES =
	    256 << 20, /* an unclean start walks a store up to this size: half a second */
	LIMIT_STORE_GROW_BYTES =
	    16 << 20, /* the journal's file is made longer in steps of at most this */

	/* a start waits a second in all for the lock: the child of a killed one may still hold it
	 */
	LIMIT_STORE_LOCK_TRIES = 20,
	LIMIT_STORE_LOCK_WAIT_US = 50000,

	/* JSON and schema */
	LIMIT_JSON_DEPTH = 128, /* nesting of a payload; the walker recurses */
	LIMIT_JSON_NAMES = 128, /* of one object compared pairwise; above, a table is cheaper */
	LIMIT_JSON_NAMES_OPEN =
	    2048, /* of all objects that are open, compared pairwise: 4 KB of stack */
	LIMIT_JSON_CHANCES =
	    4096, /* names looked at in vain per message: above, someone picks them to collide */
	LIMIT_VERDICT_BYTES = 400,    /* a reason string; fits the smallest client buffers seen */
	LIMIT_JSON_TOKENS = 1 << 19,  /* of one payload: a 1 MB array of digits; 10 MB of tape */
	LIMIT_SCHEMA_BYTES = 1 << 20, /* one schema.json; the largest published one has 60 KB */
	LIMIT_SCHEMA_NODES = 20000,   /* subschemas of one schema, with what its $refs bring in */
	LIMIT_SCHEMA_DOCUMENTS = 64,  /* files one schema may draw together by $ref */
	LIMIT_SCHEMA_NAMES = 256,     /* members one object schema may require: a bit each */
	LIMIT_SCHEMA_NESTING = 512,   /* C frames of a walk: payload depth plus $ref and allOf */
	LIMIT_SCHEMA_STEPS = 10000,   /* subschema visits of one check, plus ..._PER_TOKEN each: */
	LIMIT_SCHEMA_STEPS_PER_TOKEN = 64, /* a schema cannot make the loop stand still */
	LIMIT_SCHEMA_ERRORS = 1000,        /* violations counted for one payload, listed or not */
	LIMIT_SCHEMAS = 10000,             /* version directories in all schema-dirs together */
	LIMIT_PATTERN_BYTES = 4096,        /* of one regular expression in a schema */
	LIMIT_PATTERN_STEPS = 5000, /* of one match, and so many for each byte of the text: */
	LIMIT_PATTERN_STEPS_PER_BYTE = 100, /* a pattern may look back, not try everything */
	LIMIT_PATTERN_HEAP_KB = 1024,       /* of one match, kept for the next one */
	LIMIT_PLACE_POSITIONS =
	    20000, /* of one geometry: 1 ms; the Netherlands' border has 10,000 */
	LIMIT_EXTRACT_TEXT_BYTES = 64 << 10, /* unescaped texts and nested names of one extract */

	/* readers */
	LIMIT_SCAN_BYTES = 256 << 10, /* one disk read of a catching-up cursor */
	LIMIT_PAGE_RECORDS = 1000,    /* a page of events, at most */
	LIMIT_LONG_POLL_S = 60,       /* proxies cut connections that are silent for longer */

	/* web */
	LIMIT_WEB_CONNECTIONS = 20000,      /* or max-connections: a subscriber costs 7 KB */
	LIMIT_WEB_SPARE = 100,              /* more for the administrator, who must get in */
	LIMIT_WEB_HEADER_BYTES = 8 << 10,   /* of one request; what proxies allow as well */
	LIMIT_WEB_ANSWERS_BYTES = 64 << 20, /* answers on their way to clients, all together */
	LIMIT_WEB_SEND_S = 60,     /* a client takes something of its answer in this time */
	LIMIT_WEB_HEADER_S = 20,   /* a piece of a request takes no longer; its head 10 (lws) */
	LIMIT_WEB_IDLE_S = 75,     /* a connection waits for its next request: longer than proxies
	                              keep theirs (60), so that it is they who end it */
	LIMIT_WEB_REQUESTS = 1000, /* of one connection: then another one may get its place */
	LIMIT_WEB_LINGER_S = 10,   /* bytes that nobody wants are read for so long after an answer,
	                              so that the answer is not lost to a reset, */
	LIMIT_WEB_LINGER_BYTES = 16 << 20, /* and no more of them: the largest body, */
	LIMIT_WEB_LINGERING = 1000,        /* of so many connections at a time; others are reset */
	LIMIT_WEB_WRITE_BYTES = 64 << 10,  /* one write to a subscriber: lws keeps what the
	                                      socket does not take, so this bounds it */
	LIMIT_WEB_EVENT_BYTES = 64 << 20,  /* one event: the largest payload in base64, escaped */
	LIMIT_WEB_FRAMES_BYTES = 1 << 20,  /* shared frames of one feed: what 100 fast
	                                      subscribers spread over at full speed */
	LIMIT_WEB_FRAMES_TOTAL_BYTES = 32 << 20, /* of all feeds */
	LIMIT_WEB_EXAMINE_RECORDS = 4000,        /* looked at for one filter per turn: 0.5 ms */
	LIMIT_WEB_PAGE_BYTES = 1 << 20,          /* a page ends after the event that passes this */
	LIMIT_WEB_LATEST_BYTES = 256 << 10,      /* newest per thing kept for one slow=latest */
	LIMIT_WEB_PING_S = 30,                   /* silence after which a WebSocket is pinged */
	LIMIT_WEB_PONG_S = 60,                   /* a peer that does not answer by then is closed */
	LIMIT_WEB_HEARTBEAT_S = 15,              /* comments on a silent event stream */
	LIMIT_WEB_POSITION_RECORDS = 1000,       /* a filter is told how far it is so often, */
	LIMIT_WEB_POSITION_S = 30,               /* and so often when fewer pass */
	LIMIT_WEB_BODIES_BYTES = 64 << 20,       /* request bodies in memory, all together */
	LIMIT_WEB_NDJSON_BYTES = 8 << 20,        /* one body of many messages */
	LIMIT_WEB_NDJSON_LINES = 20000,          /* its results are kept until the last: 10 MB */
	LIMIT_WEB_NDJSON_FLIGHT = 1000,          /* of one request in a batch at a time */
	LIMIT_WEB_ECHO_BYTES = 17 << 20,         /* a message of --test-echo: suites send 16 MB */
	LIMIT_SUBSCRIBERS_SHOWN = 1000,          /* of those that are behind: 300 KB */
	LIMIT_WEB_RETRY_ROWS = 10000,            /* results of one retry that are listed */

	/* pages */
	LIMIT_SEEN_RECORDS = 20000,      /* of a feed, read for a first page: 24 blocks */
	LIMIT_SEEN_THINGS = 50000,       /* over all feeds; more are counted only */
	LIMIT_SEEN_BYTES = 32 << 20,     /* of their newest values */
	LIMIT_SEEN_RESULTS_BYTES = 4096, /* of one of them: 50 values; of more none is shown */
	LIMIT_PAGE_RECORDS_TURN = 2000,  /* read for a page per turn: 1 ms */
	LIMIT_PAGE_WAIT_MS = 2000,       /* then a page shows what is known by then */
	LIMIT_LOGO_BYTES = 256 << 10,    /* a picture at the top of each page */

	/* series */

	LIMIT_SERIES_PAGE_ROWS = 10000,   /* observations of a page: 1 MB */
	LIMIT_SERIES_PAGE_STREAMS = 1000, /* datastreams of a page: 0.6 MB */
	LIMIT_SERIES_EDGE_PIECES =
	    1024,                      /* pieces of time that one step aggregates: 8 KB of edges */
	LIMIT_SERIES_PIECES = 2000000, /* of one datastream in one answer: two years of half
	                                  minutes; empty ones cost time and show nothing */
	LIMIT_SERIES_TOGETHER = 10000, /* pieces of many datastreams as one: 1 MB */
	LIMIT_SERIES_AT_ONCE = 3,      /* of them read at a time: the pool is for others too */
	LIMIT_SERIES_HOURS_BYTES = 32 << 20, /* figures of hours that were worked out for an
	                                        answer: of 3,000 datastreams and a month */
	LIMIT_SERIES_ANSWERS = 64, /* being made at a time: each holds a step's points, 0.5 MB */
	LIMIT_SERIES_ANSWER_BYTES = 256 << 10, /* of a stream, made but not taken yet */
	LIMIT_CHART_MIN = 120,                 /* pixels either way; smaller shows nothing */
	LIMIT_CHART_MAX = 4000, /* the widest screens; bounds the points that are drawn */
	LIMIT_CHART_WIDTH_DEFAULT = 800,
	LIMIT_CHART_HEIGHT_DEFAULT = 320,
	LIMIT_ZONES = 2500, /* names of the database; each is read once and kept: 4 MB if all are */
	LIMIT_FRESH_PERCENT =
	    150, /* of the cadence: a sensor that is a little late is not silent */
	LIMIT_SILENCE_STEPS =
	    10, /* of 1,000 things, looked at in a second: 10 ms of a pool thread */
	LIMIT_SILENCE_READ = 2000, /* alerts of before the start, read in one turn: 2 ms */
	LIMIT_SILENT_TOLD =
	    1 << 20, /* things known as silent from before the start: 100 MB at worst */
	LIMIT_SILENT_THINGS = 16 << 20, /* numbers of things whose state is kept: a byte each */
	LIMIT_ALERTS_WAITING = 32,      /* for alert-command; a storm of more is counted */
	LIMIT_ALERT_COMMANDS = 10,      /* runs in a minute: mails that somebody still reads */
	LIMIT_ALERT_COMMAND_S = 30,     /* a run that hangs is ended */
	LIMIT_ZONE_BYTES = 64 << 10,    /* a file of the time zone database; the largest has 4 KB */
	LIMIT_SERIES_TEXT_BYTES = 1024, /* of one observation; three fit in a chunk: longer ones are
	                                   kept as their beginning, with a flag */
	LIMIT_SERIES_TEXTS_BYTES = 16 << 20, /* texts of points in memory together */
	LIMIT_SERIES_STREAMS =
	    2000000, /* datastreams, 200 bytes of memory each: a city has fewer */
	LIMIT_SERIES_TAIL_BYTES =
	    128 << 20, /* observations that are not on disk yet; then they are written */
	LIMIT_SERIES_TAIL_POINTS = 4096,           /* of one datastream: more than a chunk holds */
	LIMIT_SERIES_CHECKPOINT_S = 900,           /* what a start has to read again, at most */
	LIMIT_SERIES_CHECKPOINT_RECORDS = 4000000, /* and in records: some seconds */
	LIMIT_SERIES_LAG_RECORDS =
	    4000000, /* behind the journal: some seconds; then publishers wait */
	LIMIT_SERIES_BLOCK_BYTES = 128 << 10, /* of the journal, applied under one lock: 0.2 ms */
	LIMIT_SERIES_FLUSH_STREAMS = 256,     /* written in one transaction: 20 ms */
	LIMIT_SERIES_FLUSH_POINTS = 400000,   /* the same, of datastreams with much to write */
	LIMIT_SERIES_STEP_POINTS = 100000,    /* looked at in one step of an answer: 1 ms */
	LIMIT_SERIES_STEP_CHUNKS = 4000,      /* the same, where only heads are looked at */
	LIMIT_SERIES_STEP_ROWS = 2000,        /* in one step of an answer: a day of minutes */
	LIMIT_SERIES_STEP_LOOKS = 20000,      /* datastreams or things looked at in one step */
	LIMIT_SERIES_LOCK_LOOKS = 1000,       /* and without letting the writer in between */
	LIMIT_SERIES_EDGES = 100001,          /* of buckets: eleven years of hours */
	LIMIT_SERIES_WAIT_S = 5,         /* for what was acknowledged to be applied; then 503 */
	LIMIT_SERIES_ASKS = 10000,       /* questions that wait for that */
	LIMIT_SERIES_AMENDS = 1000,      /* corrections of one datastream */
	LIMIT_SERIES_REASON_BYTES = 500, /* of one correction, and of who made it */
	LIMIT_SERIES_PLACES = 4096,      /* new places in memory; then they are written */
	LIMIT_SERIES_DETAILS = 1024,     /* the same of details of observations: each is looked at
	                                    for an answer, 5 us */
	LIMIT_SERIES_DETAIL_BYTES = 8 << 10, /* of one observation beside time and result: three
	                                        pages of text */
	LIMIT_SERIES_DETAIL_CHANGES = 100,   /* of one observation: all of them are kept */
	LIMIT_SERIES_LOOKBACK = 64,          /* points compared with a late one in memory */
	LIMIT_SERIES_EXPIRE_S = 3600,        /* each datastream is looked at for its end so often */
	LIMIT_SERIES_STOP_S = 5,             /* at the end, to write what is in memory */
	LIMIT_REBUILD_POINTS = 1 << 19,      /* compared with the disk at a time: 16 MB */
	LIMIT_REBUILD_PIECES = 256,          /* unreadable ones of a datastream that go at a time */
	LIMIT_QUALITY_SHARE = 8,  /* of the last 32 of a datastream implausible: somebody is told */
	LIMIT_QUALITY_BACK = 1,   /* and so few: it is as it should be again */
	LIMIT_QUALITY_NEWS = 256, /* that wait for the loop, which looks each second */
	LIMIT_SKEW_PART = 4,      /* two lags that differ by less than this part of the time between
	                             their observations: the device reports live, its clock is off */

	/* privacy steps */
	LIMIT_PRIVACY_STEPS = 32,             /* of one feed: each reads the payload once more */
	LIMIT_PRIVACY_LEVELS = 16,            /* of one pointer */
	LIMIT_PRIVACY_GROWTH_BYTES = 4 << 10, /* a payload may grow by as much as it has and this */
	LIMIT_PRIVACY_KEY_BYTES = 4096,       /* of a key file */
	LIMIT_PRIVACY_GRID_M = 100000,        /* of blur: larger than a province hides all */
	LIMIT_PRIVACY_EXAMPLES = 200,         /* of a schema that are tried at a start */

	/* register of things */
	LIMIT_THINGS = 100000,        /* entries: a large city's sensors; 3 KB each in memory */
	LIMIT_THING_BYTES = 16 << 10, /* one entry: a page of text, not a document */
	LIMIT_THING_ID_BYTES = 255,   /* an id that can be registered and listed: part of a key */
	LIMIT_THING_VERSIONS = 100,   /* former texts of an entry that are kept */
	LIMIT_THING_FAULTS = 50,      /* of one entry, told at once */
	LIMIT_THINGS_SEEN = 1 << 17,  /* that published without an entry: the most silent goes */
	LIMIT_THING_FEEDS = 8,        /* feeds of one thing that are remembered */
	LIMIT_THINGS_SCAN_BYTES = 1
	                          << 30, /* of the logs, read after a start to find who published */
	LIMIT_THINGS_PAGE = 1000,        /* things of one page */
	LIMIT_THINGS_NEAR = 4000,      /* found by where they are, and sorted, in one turn: 2 ms */
	LIMIT_THINGS_EXAMINED = 20000, /* looked at in one turn of the loop: 2 ms */

	/* entities of SensorThings that were written */
	LIMIT_ENTITIES = 200000,        /* tombstones too; 1 KB each in memory */
	LIMIT_ENTITY_BYTES = 16 << 10,  /* one: a page of text, as an entry of the register */
	LIMIT_ENTITY_PLACES = 32,       /* Locations of one Thing: one place in several forms; and
	                                   Datastreams that a feature shares with others */
	LIMIT_ENTITY_NAMESAKES = 20000, /* of one name in a feed: each is looked for, 0.1 us */
	LIMIT_ENTITY_MOVES = 100,       /* former places of one Thing: they are deleted with it */
	LIMIT_ENTITY_CHANGE = 256,      /* entities of one request: a Thing with its Datastreams */
	LIMIT_ENTITY_CHANGE_BYTES = 1 << 20, /* and their rows: they share one commit */
	LIMIT_ENTITY_DEPTH = 16,             /* of the JSON of one: a polygon is five */
	LIMIT_STA_TOKENS = 1 << 18,          /* of such a body: 5 MB while it is read */
	LIMIT_STA_ROWS = 20000,              /* Observations of one request, as lines of a feed */
	LIMIT_STA_BATCH = 200,           /* requests of one $batch: they run one after the other */
	LIMIT_STA_GROUP_BYTES = 1 << 20, /* Observations kept together: what bulk feeds may take of
	                                    a commit */
	LIMIT_STA_NOTED =
	    1000,              /* entities changed in a turn, to be told over MQTT: 16 bytes each */
	LIMIT_STA_PATCH = 200, /* operations of one JSON Patch */
	LIMIT_REFUSED_SOURCES = 4096, /* whose refusals are counted apart: 1 MB; the longest silent
	                                 one goes */

	/* erasing */
	LIMIT_ERASURES = 100,        /* that wait: each holds a few hundred KB */
	LIMIT_ERASE_STEP = 500,      /* rows changed in one transaction, beside the commits: 5 ms */
	LIMIT_ERASE_EXAMINED = 4000, /* looked at in one step: 4 ms */
	LIMIT_WEB_NOTICE_BYTES = 16
	                         << 10, /* events about erasures that a subscriber has not taken */

	/* configuration */
	LIMIT_CONFIG_BYTES = 4 << 20,   /* one file: 1,000 feed blocks are a third of that */
	LIMIT_CONFIG_FILES = 2000,      /* one per feed and as many again */
	LIMIT_CONFIG_DEPTH = 8,         /* includes within includes */
	LIMIT_CONFIG_TEXT_BYTES = 4096, /* one value: a description, not a document */
	LIMIT_CONFIG_LIST = 100,        /* values in one list */
	LIMIT_CONFIG_PROBLEMS = 200,    /* reported at once; nobody reads more */
	LIMIT_LISTENERS = 64,           /* also the bound of tls blocks */

	/* TLS */
	LIMIT_TLS_HANDSHAKES_TURN = 4,  /* MQTT handshakes moved on in one turn of the loop: a full
	                                   one costs up to 1.5 ms, and messages wait meanwhile */
	LIMIT_TLS_TICKET_KEY_S = 3600,  /* a key seals tickets for so long, opens them for twice */
	LIMIT_TLS_LOOK_S = 5,           /* files of certificates are looked at so often */
	LIMIT_TLS_WARN_DAYS = 30,       /* before the end of a certificate: a warning a day */
	LIMIT_TLS_FILE_BYTES = 1 << 20, /* of one PEM file; a list of revocations has 30 KB */
	LIMIT_TLS_CHAIN = 10,           /* certificates of a chain */
	LIMIT_CERTIFICATE_NAME_BYTES = 255, /* a name in a client's certificate */

	/* access */
	LIMIT_ORGANISATIONS = 1000, /* a city's partners and vendors, ten times over */
	LIMIT_IDENTITIES = 100000,  /* one per device where vendors can; 1 KB each */
	LIMIT_ENDING_EXAMINED =
	    20000,                  /* things of ended organisations looked at each second: 2 ms */
	LIMIT_ENDING_CHANGES = 500, /* of them on their way to the disk: 8 MB at most */
	LIMIT_GRANTS = 20000,       /* twice what is measured (bench_access) */
	LIMIT_ACCESS_ROW_BYTES = 16 << 10, /* one row, or the body that asks for it */
	LIMIT_ACCESS_CHANGES = 64,         /* changes that wait for their commit */
	LIMIT_PASSWORD_BYTES = 256,        /* longer ones are no better */
	LIMIT_PASSWORD_BYTES_MIN = 12,     /* shorter ones are guessed, whatever the hash */
	LIMIT_SCRYPT_LOG_N = 15,           /* RFC 7914: 32 MB and 60 ms a guess */
	LIMIT_LOGINS = 128,                /* passwords that wait to be verified, one at a time: as
	                                      many as are done before a CONNECT times out */
	LIMIT_LOGIN_FAILURES = 5,          /* of one address and name before it is slowed, */
	LIMIT_LOGIN_FAILURES_ADDRESS = 20, /* of one address, whatever the names, */
	LIMIT_LOGIN_FAILURES_NAME = 50,    /* of one name from anywhere: its owner must get in */
	LIMIT_LOGIN_WAIT_S = 60,           /* the longest wait; it doubles with each failure */
	LIMIT_ISSUERS = 16,                /* of tokens; a city has one or two */
	LIMIT_TOKEN_BYTES = 8 << 10,       /* of a JWT; a header of HTTP holds no more */
	LIMIT_TOKEN_LEEWAY_S = 30,         /* clocks of issuers may be so far off */
	LIMIT_JWKS_BYTES = 256 << 10,      /* of one set of keys; known ones have 2 KB */
	LIMIT_JWKS_KEYS = 32,              /* of one issuer: two are usual, while they change */
	LIMIT_JWKS_FETCH_S = 10,           /* one fetch takes a thread of the pool */
	LIMIT_JWKS_FRESH_S = 3600,         /* keys are asked for again */
	LIMIT_JWKS_RETRY_S = 60, /* after a failure, or a token with a key that is not known */
	LIMIT_TICKETS = 1000,    /* open at one time, 30 s each; */
	LIMIT_TICKETS_EACH = 50, /* of one identity */
	LIMIT_TICKET_S = 30,     /* to open a WebSocket with it */
	LIMIT_SIGNINS = 1000,    /* browsers that are signed in at one time; */
	LIMIT_SIGNINS_EACH = 20, /* of one identity: a desk, a phone, and those never signed out */
	LIMIT_SIGNIN_S = 28800,  /* a working day; then the password is asked for again */
	LIMIT_AUDIT_WAITING = 1000,  /* lines of the audit that wait for their commit */
	LIMIT_AUDIT_SELDOM = 4096,   /* what was told in the last minute, by hash */
	LIMIT_LOGIN_SLOTS = 4096,    /* of failures remembered; the oldest is forgotten */
	LIMIT_AREA_POINTS = 500,     /* of a grant's area: 1 us a message in the worst case, 4 KB */
	LIMIT_AREA_BYTES = 12 << 10, /* of its text; a row of access holds no more */
	LIMIT_LOGIN_WRONG = 64, /* wrong passwords remembered: told at once to who comes again */

	/* oudp-connect */
	LIMIT_CONNECTORS = 200,     /* a process each */
	LIMIT_CONNECT_WINDOW = 512, /* published and not answered: half the broker's 1,024 */
	LIMIT_CONNECT_WINDOW_BYTES = 8 << 20,  /* the same in bytes: it is held until answered */
	LIMIT_CONNECT_RECORD_BYTES = 16 << 20, /* one record of a document: a tree in memory */
	LIMIT_CONNECT_XML_DEPTH = 64,          /* elements within elements; DATEX II has 20 */
	LIMIT_CONNECT_HEAD_BYTES = 16 << 10,   /* what stands before the records and is kept */
	LIMIT_CONNECT_COLUMNS = 512,           /* of one CSV file */
	LIMIT_CONNECT_OUTPUTS = 200000,        /* messages of one record: a city's answer is one */
	LIMIT_CONNECT_MAP_S = 10,             /* CPU seconds of one record: a mapping cannot hang */
	LIMIT_CONNECT_CHECKPOINT = 2000,      /* records after which the position is synced */
	LIMIT_CONNECT_TABLE_BYTES = 64 << 20, /* a file to look up in: NDW's sites are 10 MB */
	LIMIT_CONNECT_DEVICE_DECODERS = 200,  /* rules of one connector, tried one after another */
	LIMIT_CONNECT_FRAME_BYTES = 1600,     /* LoRaWAN has 242 at most, NB-IoT a datagram */
	LIMIT_CONNECT_PAGES = 1000,           /* of one poll, followed by `next' */
	LIMIT_CONNECT_URLS = 400,             /* of one connector: the car parks of the country */
	LIMIT_CONNECT_HEADER_BYTES = 8 << 10, /* one header of an answer that is looked at */
	LIMIT_CONNECT_CRASHES = 2,   /* a record that ended the process so often is passed over */
	LIMIT_CONNECT_REDIRECTS = 3, /* more is a loop */
	LIMIT_CONNECT_OPEN_S = 10,   /* to connect, to anybody */
	LIMIT_CONNECT_STALL_S = 30,  /* a transfer without a byte is given up */
	LIMIT_CONNECT_BACKOFF_MS = 1000, /* the first wait after a failure; doubles, with jitter */
	LIMIT_CONNECT_BACKOFF_MAX_MS = 60000, /* up to this */
	LIMIT_CONNECT_RETRY_AFTER_S = 86400,  /* a server that asks for longer gets a day */
	LIMIT_CONNECT_FILES = 100000,         /* of one directory: their names are remembered */
	LIMIT_CONNECT_STATE_BYTES = 32 << 20, /* the position of one connector on disk */
	LIMIT_CONNECT_BATCH = 500,  /* messages of a source that sends, held until delivered */
	LIMIT_CONNECT_TOPICS = 100, /* filters of one mqtt source */
	LIMIT_CONNECT_HOLD_MS =
	    5000,                       /* a batch not answered by then goes to disk: well within
	                                   the keep-alive of the source, which has no turn meanwhile */
	LIMIT_CONNECT_SILENT_MS = 2000, /* --once: a source that sends has nothing more */
	LIMIT_CONNECT_FEED_WAIT_S = 25, /* a page of a feed waits so long for its first event */
	LIMIT_CONNECT_KEEPALIVE_S = 60, /* towards sources; what NAT and proxies let stand */
	LIMIT_CONNECT_METRICS_BYTES = 4 << 20,  /* of 200 connectors: 1 MB */
	LIMIT_CONNECT_METRICS_CONNECTIONS = 32, /* a collector, and who looks */
	LIMIT_CONNECT_LOG_LINES = 20, /* a connector and minute, of one kind; then counted */

	/* SensorThings: one query lies in one piece of memory of about 100 KB */
	LIMIT_STA_QUERY_BYTES = 16 << 10, /* decoded; longer ones belong into fewer conditions */
	LIMIT_STA_STEPS = 8,              /* of a path: Things(1)/Datastreams(2)/Observations */
	LIMIT_STA_NODES = 600,            /* operators, literals and names of all expressions */
	LIMIT_STA_DEPTH = 40,             /* of an expression and of its evaluation */
	LIMIT_STA_CHAIN = 200,            /* a or b or c ...: each costs a level of the stack */
	LIMIT_STA_EXPANDS = 32,           /* over all levels */
	LIMIT_STA_EXPAND_DEPTH = 6,       /* Thing to Observation and back is four */
	LIMIT_STA_SELECTS = 128,
	LIMIT_STA_LOOKED_UP = 200000, /* related entities that one request asks for: a second */
	LIMIT_STA_EXAMINED = 300000,  /* entities that one request looks at: a second */
	LIMIT_STA_PAGE_DEFAULT = 100, /* without $top */
	LIMIT_STA_PAGE = 1000,        /* a larger $top gets pages of this */
	LIMIT_STA_ENTITIES = 20000,   /* in one answer, with all that is expanded */
	LIMIT_STA_SKIP = 10000,       /* of a sorted set: what is skipped is held in memory */
	LIMIT_STA_KEY_BYTES = 120,    /* of a text by which a set is sorted */
	LIMIT_STA_HINTS = 1024,       /* by number of a property: the datastream that had it last */
	LIMIT_STA_PROPERTIES = 2000,  /* observed properties in one listing */
	LIMIT_STA_JOBS = 2,           /* at once: the reader pool serves subscribers too */
	LIMIT_STA_ANSWER_BYTES = 16 << 20, /* one answer */
	LIMIT_STA_ORDERS = 8,              /* keys of one $orderby */
	LIMIT_STA_FLAT_BYTES = 512,        /* name of a column in GeoJSON: Thing/properties/x/0 */
	LIMIT_STA_MULTI = 32, /* Datastreams of a MultiDatastream: each is read beside the others */
	LIMIT_STA_TOPICS = 1000, /* subscriptions to SensorThings over MQTT, of all: each is looked
	                            at for each record */
	LIMIT_STA_NEWS_BYTES = 1 << 20, /* records that are to be told there: 5,000 of them */
	LIMIT_STA_TOLD = 5000,          /* messages of one round: half a second of a reader */
	LIMIT_STA_TOLD_BYTES = 4 << 20, /* of all of them, beside the news that come meanwhile */
	LIMIT_STA_VARIABLES = 6,        /* any() within any(): as deep as relations are asked */
};

#endif
