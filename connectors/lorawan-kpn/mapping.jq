# KPN Things: a SenML pack per uplink, already resolved by decoder = senml. Packs of before December 2022, with the base
# fields in a record of their own, read the same. The record "payload" is the frame, "port" its port.
include "oudp";
include "measure";
include "lorawan";

def name: (.n // "") | sub("^.*:"; "");
if type != "array" then {refused: "no SenML pack"}
else
  ([.[] | .n // "" | capture("urn:dev:(?i:deveui|imei|[a-z]+):(?<id>[0-9A-Za-z]+)[:_]?")? | .id] | .[0]) as $device
  | ([.[] | select(name == "port") | .v | number] | .[0]) as $port
  | ([.[] | select(name == "payload") | .vs] | .[0]) as $payload
  | ([.[] | select(name == "latitude" or .u == "lat") | .v | number] | .[0]) as $lat
  | ([.[] | select(name == "longitude" or .u == "lon") | .v | number] | .[0]) as $lon
  | ([.[] | select(name == "timeOrigin") | .vs] | .[0]) as $origin
  | [.[] | select(has("v") or has("vb")) | name as $n
      | select(["payload", "port", "latitude", "longitude", "altitude", "radius", "locOrigin", "locAccuracy", "locTime", "FCntUp",
        "fCntUp", "ADR", "rssi", "snr"] | index($n) | not)
      | {key: $n, value: {value: (.v // .vb), unit: (.u // "")}}] as $members
  | ($members | from_entries | with_entries(if .value.unit == "" then .value |= .value else . end)) as $decoded
  | uplink({device: (if $device then $device | ascii_downcase else null end),
    times: [$origin, (.[0].t | numbers | floor | todate)], port: $port,
      decoded: (if ($members | length) > 0 then $decoded else null end),
      base: ((strongest([.[] | select(name == "rssi") | .v])) + member("location"; point($lon; $lat)))};
    $payload | frame_as("hex"); $device)
end
