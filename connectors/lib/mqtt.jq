# mqtt.jq - messages of brokers whose payloads are JSON or words: decoder = text. The topic stands in the envelope; what
# somebody saved instead is read too: {"topic": ..., "payload": ...}, or lines "topic payload" as mosquitto_sub -v prints.
include "oudp";

def _payload: . as $t | try fromjson catch $t;
def _line: select(test("\\S")) | . as $l
  | (_payload | if type == "object" and has("topic") and has("payload")
    then {topic, payload: (.payload | if type == "string" then _payload else . end)} else null end)
    // ($l | capture("^(?<topic>[^ \\t]+)[ \\t]+(?<payload>.*)$") // null | if . == null then null
      else {topic, payload: (.payload | _payload)} end)
    // {topic: null, payload: ($l | _payload)};

# {topic, payload} of each message of the document.
def mqtt_messages: . as $text | source.topic as $topic
  | (try fromjson catch null) as $doc
  | if ($topic | type) == "string" then {topic: $topic, payload: (if $doc == null then $text else $doc end)}
    elif ($doc | type) == "object" then (if $doc | has("topic") and has("payload") then $text | _line
      else {topic: null, payload: $doc} end)
    elif ($doc | type) == "array" then $doc[] | (if type == "object" and has("topic") and has("payload") then tojson | _line
      else {topic: null, payload: .} end)
    else $text | split("\n")[] | _line end;
