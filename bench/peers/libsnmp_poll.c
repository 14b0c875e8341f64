/* The poll of switches in C over libsnmp's asynchronous calls: the same columns in the same multi-column GETBULKs.
 *
 * Standard input: lines `community C`, `repetitions N`, `at-once N`, `scalars OID…`, `group OID…`, `device ADDRESS PORT`.
 * Standard output: `cost CPU WALL` (seconds, of the polling alone), then `device ADDRESS` and lines `OID TAG VALUE` (strings
 * in hex). Values are kept as libsnmp decoded them and printed after the clock has stopped. Ends with 1 at any failure.
 */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define MAX_GROUPS 64
#define MAX_COLUMNS 24
#define LINE 65536

typedef struct {
    oid name[MAX_OID_LEN];
    size_t length;
} Oid;

typedef struct {
    Oid columns[MAX_COLUMNS];
    int count;
} Group;

typedef struct Kept {
    netsnmp_variable_list *variables;
    struct Kept *next;
} Kept;

typedef struct Device {
    char address[64];
    int port, group, asked;
    netsnmp_session *session;
    int of[MAX_COLUMNS];     /* which column each asked varbind is */
    int open[MAX_COLUMNS];   /* whether a column goes on */
    Oid last[MAX_COLUMNS];   /* the OID to go on from */
    Kept *kept;
    struct Device *next_done;
} Device;

static Group groups[MAX_GROUPS], scalars;
static int group_count, repetitions = 25, at_once = 64, device_count, device_next, running;
static char community[256];
static Device *devices, *done;

static void fail(const char *words) {
    fprintf(stderr, "%s\n", words);
    exit(1);
}

static int answered(int operation, netsnmp_session *session, int id, netsnmp_pdu *pdu, void *magic);

static void ask(Device *device) {
    netsnmp_pdu *pdu;
    if (device->group < 0) {
        pdu = snmp_pdu_create(SNMP_MSG_GET);
        for (int i = 0; i < scalars.count; i++)
            snmp_add_null_var(pdu, scalars.columns[i].name, scalars.columns[i].length);
    } else {
        Group *group = &groups[device->group];
        pdu = snmp_pdu_create(SNMP_MSG_GETBULK);
        pdu->non_repeaters = 0;
        pdu->max_repetitions = repetitions;
        device->asked = 0;
        for (int i = 0; i < group->count; i++) {
            if (!device->open[i])
                continue;
            device->of[device->asked++] = i;
            snmp_add_null_var(pdu, device->last[i].name, device->last[i].length);
        }
    }
    if (!snmp_async_send(device->session, pdu, answered, device))
        fail("snmp_async_send");
}

static void start(void) {
    netsnmp_session wanted;
    Device *device = &devices[device_next++];
    char peer[96];
    snmp_sess_init(&wanted);
    snprintf(peer, sizeof peer, "udp:%s:%d", device->address, device->port);
    wanted.version = SNMP_VERSION_2c;
    wanted.peername = peer;
    wanted.community = (u_char *)community;
    wanted.community_len = strlen(community);
    wanted.timeout = 5000000;
    wanted.retries = 2;
    device->session = snmp_open(&wanted);
    if (device->session == NULL)
        fail("snmp_open");
    device->group = -1;
    running++;
    ask(device);
}

static void begin_group(Device *device) {
    Group *group = &groups[device->group];
    for (int i = 0; i < group->count; i++) {
        device->open[i] = 1;
        device->last[i] = group->columns[i];
    }
}

/* Take the columns' varbinds; whether one is still open. */
static int take(Device *device, netsnmp_variable_list *variables) {
    Group *group = &groups[device->group];
    int position = 0, left = 0;
    if (variables == NULL)
        fail("an empty answer");
    for (netsnmp_variable_list *v = variables; v != NULL; v = v->next_variable, position++) {
        int i = device->of[position % device->asked];
        Oid *column = &group->columns[i];
        if (!device->open[i])
            continue;
        if (v->type == SNMP_ENDOFMIBVIEW || v->name_length <= column->length ||
            memcmp(v->name, column->name, column->length * sizeof(oid)) != 0) {
            device->open[i] = 0;
        } else {
            memcpy(device->last[i].name, v->name, v->name_length * sizeof(oid));
            device->last[i].length = v->name_length;
        }
    }
    for (int i = 0; i < group->count; i++)
        left += device->open[i];
    return left;
}

static int answered(int operation, netsnmp_session *session, int id, netsnmp_pdu *pdu, void *magic) {
    Device *device = magic;
    (void)session;
    (void)id;
    if (operation != NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE)
        fail("no answer");
    if (pdu->errstat != SNMP_ERR_NOERROR)
        fail(snmp_errstring(pdu->errstat));
    Kept *kept = malloc(sizeof *kept);
    kept->variables = pdu->variables; /* ours now: the library frees the rest */
    kept->next = device->kept;
    device->kept = kept;
    pdu->variables = NULL;
    if (device->group < 0 || !take(device, kept->variables)) {
        if (++device->group == group_count) {
            device->next_done = done; /* closed by the loop: not while its request is being answered */
            done = device;
            return 1;
        }
        begin_group(device);
    }
    ask(device);
    return 1;
}

static void poll_all(void) {
    while (running < at_once && device_next < device_count)
        start();
    while (running > 0) {
        fd_set ready;
        struct timeval wait = {1, 0};
        int highest = 0, block = 1;
        FD_ZERO(&ready);
        snmp_select_info(&highest, &ready, &wait, &block);
        int count = select(highest, &ready, NULL, NULL, block ? NULL : &wait);
        if (count > 0)
            snmp_read(&ready);
        else
            snmp_timeout();
        for (; done != NULL; done = done->next_done) {
            snmp_close(done->session);
            running--;
            if (device_next < device_count)
                start();
        }
    }
}

static void print_one(netsnmp_variable_list *v) {
    for (size_t i = 0; i < v->name_length; i++)
        printf(i ? ".%lu" : "%lu", (unsigned long)v->name[i]);
    printf(" %d ", v->type);
    switch (v->type) {
    case ASN_INTEGER:
        printf("%ld", *v->val.integer);
        break;
    case ASN_COUNTER: case ASN_GAUGE: case ASN_TIMETICKS:
        printf("%lu", (unsigned long)*v->val.integer & 0xffffffffUL);
        break;
    case ASN_COUNTER64:
        printf("%llu", ((unsigned long long)v->val.counter64->high << 32) | (v->val.counter64->low & 0xffffffffUL));
        break;
    case ASN_OBJECT_ID:
        for (size_t i = 0; i < v->val_len / sizeof(oid); i++)
            printf(i ? ".%lu" : "%lu", (unsigned long)v->val.objid[i]);
        break;
    default:
        for (size_t i = 0; i < v->val_len; i++)
            printf("%02x", v->val.string[i]);
    }
    putchar('\n');
}

static void print_all(void) {
    for (int d = 0; d < device_count; d++) {
        printf("device %s\n", devices[d].address);
        for (Kept *kept = devices[d].kept; kept != NULL; kept = kept->next)
            for (netsnmp_variable_list *v = kept->variables; v != NULL; v = v->next_variable)
                if (v->type < SNMP_NOSUCHOBJECT)
                    print_one(v);
    }
}

static void read_oids(Group *into, char *words) {
    for (char *word = strtok(words, " \n"); word != NULL; word = strtok(NULL, " \n")) {
        Oid *place = &into->columns[into->count++];
        place->length = MAX_OID_LEN;
        if (into->count > MAX_COLUMNS || !read_objid(word, place->name, &place->length))
            fail("an OID");
    }
}

static void read_plan(void) {
    static char line[LINE];
    int room = 0;
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *rest = strchr(line, ' ');
        if (rest == NULL)
            continue;
        *rest++ = '\0';
        if (!strcmp(line, "community"))
            sscanf(rest, "%255s", community);
        else if (!strcmp(line, "repetitions"))
            repetitions = atoi(rest);
        else if (!strcmp(line, "at-once"))
            at_once = atoi(rest);
        else if (!strcmp(line, "scalars"))
            read_oids(&scalars, rest);
        else if (!strcmp(line, "group") && group_count < MAX_GROUPS)
            read_oids(&groups[group_count++], rest);
        else if (!strcmp(line, "device")) {
            if (device_count == room)
                devices = realloc(devices, (room = room ? 2 * room : 256) * sizeof *devices);
            memset(&devices[device_count], 0, sizeof *devices);
            sscanf(rest, "%63s %d", devices[device_count].address, &devices[device_count].port);
            device_count++;
        }
    }
}

static double cpu(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static double wall(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

int main(void) {
    setenv("MIBS", "", 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
    init_snmp("bench");
    read_plan();
    double cpu_before = cpu(), wall_before = wall();
    poll_all();
    printf("cost %.6f %.6f\n", cpu() - cpu_before, wall() - wall_before);
    print_all();
    return 0;
}
