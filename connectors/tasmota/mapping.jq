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
def known($s; $m): {
  "Temperature": {key: "temperature", value: {value: $s, unit: (if $m.TempUnit == "F" then "[degF]" else "Cel" end)}},
    "Humidity": {key: "humidity", value: $s},
  "DewPoint": {key: "dewpoint", value: {value: $s, unit: (if $m.TempUnit == "F" then "[degF]" else "Cel" end)}},
  "Pressure": {key: "pressure", value: (if $m.PressureUnit == "mmHg" then ($s | numbers) * 1.33322387415 | rounded
    elif $m.PressureUnit == "inHg" then ($s | numbers) * 33.8638866667 | rounded else $s end)},
  "SeaPressure": {key: "seapressure", value: (if $m.PressureUnit == "mmHg" then ($s | numbers) * 1.33322387415 | rounded
    else $s end)},
  "CarbonDioxide": {key: "co2", value: $s}, "CO2": {key: "co2", value: $s}, "eCO2": {key: "eco2", value: $s},
    "TVOC": {key: "tvoc", value: $s}, "Gas": {key: "gas", value: $s},
  "Illuminance": {key: "illuminance", value: $s}, "Lux": {key: "illuminance", value: $s},
    "Distance": {key: "distancecm", value: $s}, "UvIndex": {key: "uvindex", value: $s},
  "PM1": {key: "pm1", value: $s}, "PM2.5": {key: "pm25", value: $s}, "PM10": {key: "pm10", value: $s},
  "Power": {key: "power", value: $s}, "ApparentPower": {key: "apparentpower", value: $s},
    "ReactivePower": {key: "reactivepower", value: $s},
  "Factor": {key: "powerfactor", value: $s}, "Voltage": {key: "voltage", value: $s}, "Current": {key: "current", value: $s},
    "Total": {key: "energy", value: $s}, "Frequency": {key: "frequency", value: $s},
  "BatteryPercentage": {key: "battery", value: $s}, "BatteryVoltage": {key: "batteryvoltage", value: $s},
    "Contact": {key: "contact", value: $s}, "Occupancy": {key: "occupancy", value: $s},
  "Moisture": {key: "soilmoisture", value: $s}, "SoilMoisture": {key: "soilmoisture", value: $s},
    "WindSpeed": {key: "windspeed", value: $s}, "WindDir": {key: "winddirection", value: $s},
    "Rain": {key: "rain", value: $s}};
def members($m): [to_entries[] | . as $e | known($e.value; $m)[$e.key] | select(. != null and .value != null)]
  | from_entries;
# One sensor of its kind is the device; "DS18B20-2" and "AM2301-14" are things of their own, by the id of the chip where it
# has one.
def sensor($device; $name; $s; $m; $time):
  ($s | members($m)) as $v
  | if $v == {} then empty
    else
      (if ($name | test("-[0-9A-Fa-f]+$")) then $device + "-" + (if ($s.Id | type) == "string" then $s.Id else $name end)
        else $device end) as $thing
      | messages(topic("city/device"); $thing; {dateObserved: $time}; $v | values_of)
    end;

def one: (.topic | levels) as $l | (.payload | if type == "object" then .StatusSNS // . else . end) as $m
  | if ($m | type) != "object" then {ignored: "no telemetry"}
    elif $l != null and (["SENSOR", "STATUS8", "STATUS10", "RESULT", "HASS_STATE"] | index($l[-1]) | not)
      then {ignored: ("not telemetry: " + $l[-1])}
    else
      (device($l) // $settings["device"] // "tasmota") as $device
      | ([(if ($m.Time | type) == "string" then $m.Time else source.received end) | utc_time] | .[0]) as $time
      | if $time == null then {refused: "no time that can be read"}
        else
          [($m.ZbReceived // {} | to_entries[] | .value as $z | ($z | members($m)) as $v | select($v != {})
             | messages(topic("city/device"); $device + "-" + ($z.Device // .key | tostring); {dateObserved: $time}; $v
               | values_of)),
           ($m | to_entries[] | select((.value | type) == "object" and .key != "ZbReceived")
             | sensor($device; .key; .value; $m; $time)),
           ($m | to_entries[] | select((.key | startswith("ANALOG") | not) and .key == "Illuminance"
             and (.value | type) == "number") | messages(topic("city/device"); $device; {dateObserved: $time};
             {illuminance: .value} | values_of))]
          | if length == 0 then {ignored: "no sensor in the message"} else . end
        end
    end;
[mqtt_messages | one]
