/* paho.c - the Eclipse Paho C client against a broker, for tests/integ/test_clients.py.
 *
 *   paho URI VERSION TOPIC     tcp://127.0.0.1:1883 or ws://127.0.0.1:8080/mqtt; 4 or 5
 *
 * Subscribes to TOPIC/#, publishes with each QoS, and wants its messages back, in order. Prints
 * what it did; status 0 when all was right. */
#include <MQTTClient.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_MS = 10000 };

static int check(const char *what, int rc)
{
	printf("%s: %d\n", what, rc);
	return rc;
}

static int open_v4(MQTTClient c)
{
	MQTTClient_connectOptions o = MQTTClient_connectOptions_initializer;
	o.MQTTVersion = MQTTVERSION_3_1_1;
	o.cleansession = 1;
	return check("connect", MQTTClient_connect(c, &o));
}

static int open_v5(MQTTClient c)
{
	MQTTClient_connectOptions o = MQTTClient_connectOptions_initializer5;
	o.cleanstart = 1;
	MQTTResponse r = MQTTClient_connect5(c, &o, NULL, NULL);
	int rc = r.reasonCode;
	MQTTResponse_free(r);
	return check("connect", rc);
}

static int subscribe(MQTTClient c, int version, const char *filter)
{
	if (version == 4)
		return check("subscribe", MQTTClient_subscribe(c, filter, 2));
	MQTTResponse r = MQTTClient_subscribe5(c, filter, 2, NULL, NULL);
	int rc = r.reasonCode == 2 ? 0 : r.reasonCode;
	MQTTResponse_free(r);
	return check("subscribe", rc);
}

static int publish(MQTTClient c, int version, const char *topic, int qos)
{
	char text[16];
	MQTTClient_message m = MQTTClient_message_initializer;
	MQTTClient_deliveryToken token;
	snprintf(text, sizeof(text), "qos %d", qos);
	m.payload = text;
	m.payloadlen = (int)strlen(text);
	m.qos = qos;
	int rc;
	if (version == 4) {
		rc = MQTTClient_publishMessage(c, topic, &m, &token);
	} else {
		MQTTProperty p = {.identifier = MQTTPROPERTY_CODE_USER_PROPERTY};
		p.value.data = (MQTTLenString){4, (char *)"name"};
		p.value.value = (MQTTLenString){5, (char *)"value"};
		m.struct_version = 1;
		MQTTProperties_add(&m.properties, &p);
		MQTTResponse r = MQTTClient_publishMessage5(c, topic, &m, &token);
		rc = r.reasonCode;
		MQTTResponse_free(r);
		MQTTProperties_free(&m.properties);
	}
	rc = rc ? rc : MQTTClient_waitForCompletion(c, token, WAIT_MS);
	return check("publish", rc);
}

/* ---- what came: Paho's thread puts it here; over WebSocket the client needs that thread ---- */

struct inbox {
	pthread_mutex_t lock;
	MQTTClient_message *message[8];
	int n, taken;
};

static int arrived(void *context, char *topic, int n, MQTTClient_message *m)
{
	struct inbox *in = context;
	(void)n;
	pthread_mutex_lock(&in->lock);
	if (in->n < 8)
		in->message[in->n++] = m;
	pthread_mutex_unlock(&in->lock);
	MQTTClient_free(topic);
	return 1;
}

static MQTTClient_message *take(struct inbox *in)
{
	MQTTClient_message *m = NULL;
	for (int ms = 0; !m && ms < WAIT_MS; ms += 10) {
		pthread_mutex_lock(&in->lock);
		if (in->taken < in->n)
			m = in->message[in->taken++];
		pthread_mutex_unlock(&in->lock);
		if (!m)
			usleep(10000);
	}
	return m;
}

static int receive(struct inbox *in, int version, int qos)
{
	char want[16];
	MQTTClient_message *m = take(in);
	if (!m)
		return check("receive", -1);
	snprintf(want, sizeof(want), "qos %d", qos);
	int rc = m->qos == qos && m->payloadlen == (int)strlen(want) &&
	                 memcmp(m->payload, want, strlen(want)) == 0
	             ? 0
	             : -2;
	if (!rc && version == 5 &&
	    !MQTTProperties_hasProperty(&m->properties, MQTTPROPERTY_CODE_USER_PROPERTY))
		rc = -3;
	MQTTClient_freeMessage(&m);
	return check("receive", rc);
}

int main(int argc, char **argv)
{
	char topic[200], filter[200];
	MQTTClient c;
	struct inbox in = {.lock = PTHREAD_MUTEX_INITIALIZER};
	if (argc != 4)
		return 2;
	int version = atoi(argv[2]);
	snprintf(topic, sizeof(topic), "%s/x", argv[3]);
	snprintf(filter, sizeof(filter), "%s/#", argv[3]);
	MQTTClient_createOptions o = MQTTClient_createOptions_initializer;
	o.MQTTVersion = version == 5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
	int rc = MQTTClient_createWithOptions(&c, argv[1], argv[3], MQTTCLIENT_PERSISTENCE_NONE,
	                                      NULL, &o);
	rc = rc ? rc : MQTTClient_setCallbacks(c, &in, NULL, arrived, NULL);
	rc = rc ? rc : version == 5 ? open_v5(c) : open_v4(c);
	rc = rc ? rc : subscribe(c, version, filter);
	for (int qos = 0; !rc && qos <= 2; qos++) {
		rc = publish(c, version, topic, qos);
		rc = rc ? rc : receive(&in, version, qos);
	}
	if (!rc)
		rc = check("disconnect", version == 5 ? MQTTClient_disconnect5(c, 1000, 0, NULL)
		                                      : MQTTClient_disconnect(c, 1000));
	MQTTClient_destroy(&c);
	return rc ? 1 : 0;
}
