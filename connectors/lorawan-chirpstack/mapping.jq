# ChirpStack v4, and v3: events of devices, over MQTT or by HTTP integration. The codec of the device profile puts
# the values in object (v3: also objectJSON, a text). A value left out is 0 there: fPort too.
include "oudp";
include "measure";
include "lorawan";

# v3's protobuf JSON has identifiers in base64: 8 bytes are 12 characters with one "=".
def _sextets: explode | map(if . >= 97 then . - 71 elif . >= 65 then . - 65 elif . >= 48 and . <= 57 then . + 4 elif . == 43
  or . == 45 then 62 elif . == 47 or . == 95 then 63 else 0 end);
def _hex: "0123456789abcdef" as $d | ((. / 16) | floor) as $h | $d[$h:$h + 1] + $d[. - 16 * $h:. - 16 * $h + 1];
def eui: if type != "string" then null
  elif test("^[0-9A-Fa-f]{16}$") then ascii_downcase
  elif test("^[A-Za-z0-9+/_-]{11}=?$") then
    (.[:11] | _sextets) + [0] | [range(0; 12; 4) as $i | (.[$i] * 262144 + .[$i + 1] * 4096 + .[$i + 2] * 64 + .[$i + 3])
      | (. / 65536 | floor), ((. / 256 | floor) % 256), (. % 256)][:8] | map(_hex) | add
  else null end;

def tags: .deviceInfo.tags // .tags // {};
# The place of the device, where its tags or its decoder tell; rxInfo has the gateways'.
def place: (tags | objects | [point(.longitude // .lon // .lng; .latitude // .lat)] | .[0]);
def battery: (.batteryLevel // 0) as $b | if .batteryLevelUnavailable == true or .externalPowerSource == true then null
  else ([$b | number] | .[0]) end;
def values: if (.object | type) == "object" then .object
  elif (.objectJSON | type) == "string" and .objectJSON != "" then (.objectJSON | try fromjson catch null) else null end;

def event: . as $e
  | (.deviceInfo.devEui // .devEUI // .devEui | eui) as $eui
  | if $eui == null then {refused: "no device"}
    elif has("margin") then
      (battery as $b | ([(.time, source.received) | utc_time] | .[0]) as $time
       | if $b == null or $b > 100 or $b < 0 then {ignored: "a device that knows no battery level"}
         elif $time == null then {refused: "no time that can be read"}
         else messages(topic("city/device"); $eui; {dateObserved: $time}; [{battery: ($b / 100 | rounded)}]) end)
    elif has("integrationName") then {ignored: "an event of an integration"}
    elif has("error") and has("type") then {ignored: ("the network server's log: " + (.type | tostring))}
    elif has("acknowledged") then {ignored: "an acknowledgement"}
    elif has("level") and has("code") then {ignored: ("the network server's log: " + (.code | tostring))}
    elif (has("data") or has("object") or has("objectJSON") or has("fCnt") or has("rxInfo")) | not then
      {ignored: (if has("location") then "a place" elif has("gatewayId") or has("gatewayID") then "a downlink was sent"
        else "a join" end)}
    else
      uplink({device: (if $settings["thing"] == "device_name" then ($e.deviceInfo.deviceName // $e.deviceName)
        else $eui end),
        times: [$e.time, ($e.rxInfo[]? | .time, .gwTime, .nsTime), $e.publishedAt, source.received], port: $e.fPort,
          decoded: ($e | values),
        base: (strongest([$e.rxInfo[]?.rssi]) + ([$e | place] | .[0] as $p | if $p then {location: $p} else {} end))};
        $e.data | frame_as("base64");
        $e | .deviceInfo.deviceProfileName, .deviceProfileName, .deviceInfo.deviceName, .deviceName, $eui)
    end;

if type == "array" then [.[] | each(event)] elif type == "object" then each(event) else {refused: "no event of ChirpStack"} end
