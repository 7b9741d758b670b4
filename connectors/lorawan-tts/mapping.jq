# The Things Stack v3: what comes over MQTT, by webhook, out of the storage integration ({"result": ...}, or an
# array of them) or the event stream; and uplinks of TTN v2, which archives and old forwarders still have.
# A value left out is 0 there (protobuf JSON): f_port too.
include "oudp";
include "measure";
include "lorawan";

# The normalized payload has fixed names and units; the decoded one tells what it leaves out.
def normalized: [.[]? | objects
  | (.air // {} | (objects | {temperature, humidity: .relativeHumidity, pressure, lightIntensity, co2} | values_of[])),
    (.soil // {} | (objects | {soil_moisture: .moisture, soil_temperature: .temperature, ph: .pH} | values_of[]),
                   (.ec | number | {property: "soilConductivity", value: (. * 1000), unit: "uS/cm", channel: ""})),
    (.wind // {} | (objects | {wind_speed: .speed, wind_direction: .direction} | values_of[])),
    (.rain // {} | (.intensity | number | {property: "precipitationIntensity", value: ., unit: "mm/h", channel: ""}),
                   (.cumulative | number | {property: "precipitationTotal", value: ., unit: "mm", channel: ""})),
    (.water // {} | (if (.leak | type) == "boolean" then {leak} | values_of[] else empty end),
                    (.temperature | (if type == "object" then .current // .avg else . end) | number
                      | {property: "waterTemperature", value: ., unit: "Cel", channel: ""})),
    (.metering.water.total? | number | {property: "volume", value: (. / 1000), unit: "m3", channel: ""}),
    (.action.motion // {} | (if (.detected | type) == "boolean" then {motion: .detected} | values_of[] else empty end)),
    (.action.contactState? | strings | {property: "contact", value: (if . == "closed" then 1 else 0 end), unit: "1",
      channel: ""}),
    (.battery | number | {property: "batteryVoltage", value: ., unit: "V", channel: ""})];

def place: [(.locations // {})[]? | objects | select(.source != "SOURCE_UNKNOWN") | point(.longitude; .latitude)] | .[0];

# The values of both payloads, each property once, by their times: {time, values}. A measurement of the normalized payload
# may have been made before the uplink; what only the decoded one tells is of the newest. values null: nobody decoded.
def both($u):
  (if ($u.decoded_payload | type) == "object" then $u.decoded_payload | values_of else null end) as $free
  | if ($u.normalized_payload | type) != "array" then {time: null, values: $free}
    else [$u.normalized_payload[] | objects] as $all
      | ([$all | normalized[] | {(.property): 1}] | add // {}) as $known
      | [$free[]? | select($known[.property // ""] == null)] as $rest
      | if all($all[]; .time == $all[0].time) then {time: $all[0].time, values: (($all | normalized) + $rest)}
        else ($all | group_by(.time)) as $groups
          | range($groups | length) as $i | {time: $groups[$i][0].time,
              values: (($groups[$i] | normalized) + if $i + 1 == ($groups | length) then $rest else [] end)} end
    end;

def v3: . as $m | .uplink_message as $u
  | if $m.simulated == true and $settings["simulated"] != "take" then {ignored: "simulated"}
    else both($u) as {$time, $values}
      | uplink({device: (if $settings["thing"] == "dev_eui" then $m.end_device_ids.dev_eui else $m.end_device_ids.device_id
        // $m.end_device_ids.dev_eui end),
          times: [$time, ($u.received_at | select(. != "0001-01-01T00:00:00Z")), $m.received_at], port: $u.f_port,
          decoded: (if ($values | length) > 0 then {} else $u.decoded_payload end), $values,
          base: (strongest([$u.rx_metadata[]?.rssi]) + if $u.locations then member("location"; $u | place) else {} end)};
        $u.frm_payload | frame_as("base64");
        $m.end_device_ids.device_id, ($u.version_ids | if .model_id? then .brand_id + "/" + .model_id else empty end),
          $m.end_device_ids.application_ids.application_id, ($m.end_device_ids.dev_eui | strings | ascii_downcase))
    end;

def v2: uplink({device: .dev_id, times: [.metadata.time, (.metadata.gateways[]?.time)], port: .port,
  decoded: .payload_fields,
  base: (strongest([.metadata.gateways[]?.rssi]) + member("location"; point(.metadata.longitude; .metadata.latitude)))};
  .payload_raw | frame_as("base64"); .dev_id, .app_id);

def one: (.result // .)
  | if type != "object" then {refused: "no message of The Things Stack"}
    elif (.name | type) == "string" and has("identifiers") then (if .name == "as.up.data.forward" then .data
      | (if .uplink_message then v3 else {ignored: "an event without an uplink"} end)
      else {ignored: ("event " + .name)} end)
    elif .uplink_message then v3
    elif .join_accept then {ignored: "a join"}
    elif has("downlink_ack") or has("downlink_nack") or has("downlink_sent") or has("downlink_failed")
      or has("downlink_queued") or has("downlinks") then {ignored: "about a downlink"}
    elif has("dev_id") and has("metadata") then v2
    else {ignored: "no uplink"} end;

if type == "array" then [.[] | each(one)] else each(one) end
