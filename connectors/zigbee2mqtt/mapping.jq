# Zigbee2MQTT: topic BASE/FRIENDLY NAME, where the name may have "/" in it; the whole state is sent each time, null before
# the first report. The time is last_seen (ISO 8601, or epoch in ms), else that of receipt. The setting base is the base
# topic.
include "oudp";
include "measure";
include "mqtt";

def device: . as $t | (($settings["base"] // "zigbee2mqtt") + "/") as $base | if $t == null then null elif startswith($base)
  then .[($base | length):] else . end;
# What Zigbee2MQTT calls differently: contact is true when closed; pm10 etc. as they are; power and energy are W and kWh.
def settle: with_entries(select((.key | endswith("_calibration") or endswith("_precision") or endswith("_sensitivity")
  or startswith("action_")) | not))
  | del(.update, .linkquality, .last_seen, .update_available, .color, .brightness, .color_temp, .elapsed, .device, .state,
    .battery_low, .power_outage_count, .device_temperature_unit)
  # of the battery
  | if (.voltage | type) == "number" and .voltage > 1000 then .battery_mv = .voltage | del(.voltage) else . end
  # in older releases illuminance is the sensor's own number beside illuminance_lux
  | (if .illuminance_lux != null then del(.illuminance) else . end)
  | if .temperature_unit == "fahrenheit" then .temperature |= (numbers | (. - 32) / 1.8 | rounded) else . end;
def seen: .last_seen | if type == "string" then utc_time elif type == "number" then (if . > 1e11 then . / 1000 else . end)
  | floor | todate else empty end;
def named: .device | objects | .friendlyName // .friendly_name // .ieeeAddr // .ieee_address // empty;

def one: (.topic | device) as $d | .payload as $p
  | if $d != null and ($d | startswith("bridge/")) then {ignored: "about the bridge"}
    elif $d != null and ($d | test("/(set|get)(/|$)")) then {ignored: "a command"}
    elif $d != null and ($d | endswith("/availability")) then {ignored: "availability"}
    elif ($p | type) != "object" then {ignored: "no state of a device"}
    else
      ([$d, ($p | named), $settings["device"]] | map(select(. != null)) | .[0]) as $thing
      | if $thing == null then {refused: "no topic, so no device"}
        else
          ([($p | seen), (source.received | utc_time)] | .[0]) as $time
          | [messages(topic("city/device"); $thing; {dateObserved: $time}; $p | settle | values_of)]
          | if length == 0 then {ignored: "no value in the state"} else . end
        end
    end;
[mqtt_messages | each(one)]
