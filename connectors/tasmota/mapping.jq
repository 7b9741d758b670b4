# Tasmota: PREFIX/TOPIC/SENSOR every TelePeriod, also STATUS8 and STATUS10 of stat/. Time is the device's wall clock without
# an offset: of the block's zone. Sensors are members by their names, several of a kind with "-1"; Zigbee devices of a
# bridge have their short address. Units stand in TempUnit, PressureUnit and SpeedUnit of the message.
include "oudp";
include "measure";
include "mqtt";

def levels: if . == null then null else split("/") end;
# tele/kitchen/SENSOR, kitchen/tele/SENSOR (FullTopic may be turned) and the place of the topic in between.
def device($l): if $l == null then null else [$l[] | select(. as $x | ["tele", "stat", "cmnd", "tasmota"] | index($x)
  | not)] | .[:-1] | join("/") | if . == "" then null else . end end;
def degrees($m): if $m.TempUnit == "F" then "[degF]" else "Cel" end;
def pressure($s; $m): if $m.PressureUnit == "mmHg" then ($s | numbers) * 1.33322387415 | rounded
  elif $m.PressureUnit == "inHg" then ($s | numbers) * 33.8638866667 | rounded else $s end;
# Without SpeedUnit it is m/s.
def wind($s; $m): ($s | numbers) * ({"m/s": 1, "km/h": 0.2777777777777778, "mph": 0.44704, "kn": 0.5144444444444445,
  "ft/s": 0.3048, "yd/s": 0.9144}[$m.SpeedUnit // "m/s"] // empty) | rounded;
def names: {"Humidity": "humidity", "CarbonDioxide": "co2", "CO2": "co2", "eCO2": "eco2", "TVOC": "tvoc", "Gas": "gas",
  "Illuminance": "illuminance", "Lux": "illuminance", "Distance": "distancecm", "UvIndex": "uvindex", "PM1": "pm1",
  "PM2.5": "pm25", "PM10": "pm10", "Power": "power", "ApparentPower": "apparentpower", "ReactivePower": "reactivepower",
  "Factor": "powerfactor", "Voltage": "voltage", "Current": "current", "Total": "energy", "Frequency": "frequency",
  "BatteryPercentage": "battery", "BatteryVoltage": "batteryvoltage", "Contact": "contact", "Occupancy": "occupancy",
  "Moisture": "soilmoisture", "SoilMoisture": "soilmoisture", "WindDir": "winddirection", "Rain": "rain"};
def known($k; $s; $m): if $k == "Temperature" or $k == "DewPoint"
    then {key: ($k | ascii_downcase), value: {value: $s, unit: degrees($m)}}
  elif $k == "Pressure" or $k == "SeaPressure" then {key: ($k | ascii_downcase), value: pressure($s; $m)}
  elif $k == "WindSpeed" or $k == "WindSpeedAvg" then {key: "windspeed", value: wind($s; $m)}
  elif $k == "WindSpeedMax" then {key: "gustspeed", value: wind($s; $m)}
  elif $k == "WindDirection" and ($s | type) == "object" then {key: "winddirection", value: $s.Deg}
  elif $k == "TVOC" and ($s | type) == "number" then {key: "tvoc", value: {value: $s, unit: "ppb"}}
  elif names[$k] == null then empty
  elif ($s | type) == "array" then range($s | length) as $i | {key: (names[$k] + "_\($i + 1)"), value: $s[$i]}  # of each phase
  else {key: names[$k], value: $s} end;
def members($m): [to_entries[] | known(.key; .value; $m)
  | select(.value != null and ((.value | type) != "object" or .value.value != null))] | from_entries;

# {thing, values} of each sensor. One of its kind is the device; "DS18B20-2" and "AM2301-14" are things of their own, by the
# id of the chip where it has one, and so is what measures what another one has measured before it.
def sensors($device; $m): reduce ($m | to_entries[] | select((.value | type) == "object" and .key != "ZbReceived")) as $e
  ({had: {}, all: []};
    ($e.value | members($m) | if $e.key == "ESP32" then with_entries(.key |= "internal" + .) else . end) as $v
    | if $v == {} then . else
        . as $s
        | (if ($e.key | test("-[0-9A-Fa-f]+$")) then $device + "-" + (if ($e.value.Id | type) == "string" then $e.value.Id
             else $e.key end)
           elif any($v | keys[]; $s.had[.]) then $device + "-" + $e.key else $device end) as $thing
        | .all += [{thing: $thing, values: $v}]
        | if $thing == $device then .had += ($v | map_values(true)) else . end
      end)
  | .all[];

def one: (.topic | levels) as $l | (.payload | if type == "object" then .StatusSNS // . else . end) as $m
  | if ($m | type) != "object" then {ignored: "no telemetry"}
    elif $l != null and (["SENSOR", "STATUS8", "STATUS10", "RESULT", "HASS_STATE"] | index($l[-1]) | not)
      then {ignored: ("not telemetry: " + $l[-1])}
    else
      (device($l) // $settings["device"] // "tasmota") as $device
      # a device that has not heard of the time yet begins with 1970
      | (if ($m.Time | type) == "string" and ($m.Time | startswith("1970") | not) then $m.Time else source.received end
        | [utc_time] | .[0]) as $time
      | if $time == null then {refused: "no time that can be read"}
        else
          [($m.ZbReceived // {} | to_entries[] | .value as $z | ($z | members($m)) as $v | select($v != {})
             | messages(topic("city/device"); $device + "-" + ($z.Device // .key | tostring); {dateObserved: $time}; $v
               | values_of)),
           (sensors($device; $m) | . as $s | messages(topic("city/device"); $s.thing; {dateObserved: $time}; $s.values
             | values_of)),
           ($m | to_entries[] | select((.key | startswith("ANALOG") | not) and .key == "Illuminance"
             and (.value | type) == "number") | messages(topic("city/device"); $device; {dateObserved: $time};
             {illuminance: .value} | values_of))]
          | if length == 0 then {ignored: "no sensor in the message"} else . end
        end
    end;
[mqtt_messages | each(one)]
