# The Things Stack v3: uplinks, as they come over MQTT, by webhook or out of the storage integration.
# One message per known member of decoded_payload; a frame that nobody decoded is refused in words.
include "oudp";

{"temperature": "CEL", "humidity": "P1", "illuminance": "LUX", "co2": "59"} as $units
| (.result // .) as $m
| $m.uplink_message as $u
| if $u == null then {ignored: "no uplink"}
  elif $m.simulated == true then {ignored: "simulated"}
  elif ($u.decoded_payload | type) != "object" then
    {refused: (if $u.frm_payload then "frm_payload is not decoded: set a payload formatter" else "an uplink without a payload" end)}
  else
    ([($u.received_at, $m.received_at) | utc_time] | .[0]) as $time
    | ($m.end_device_ids.device_id // $m.end_device_ids.dev_eui) as $device
    | if $time == null or $device == null then {refused: "no device or no time"}
      else
        ([$u.rx_metadata[]?.rssi | number] | max) as $rssi
        | ({dateObserved: $time, refDevice: $device} + member("rssi"; $rssi)
            + member("location"; ($u.locations.user // $m.uplink_message.locations.user | objects | point(.longitude; .latitude)))) as $base
        | [$u.decoded_payload | to_entries[] | ([.value | number] | .[0]) as $v | (.key | ascii_downcase) as $k
            | select($v != null and ($units[$k] != null))
            | {topic: (topic("city/device") + ($device | topic_level)),
               payload: ($base + {controlledProperty: $k, numValue: $v, unit: $units[$k]})}]
        | if length == 0 then {ignored: "nothing decoded that we know"} else . end
      end
  end
