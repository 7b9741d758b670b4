# Sensor.Community: the live answer, an array with an object per sensor and five minutes. Times are UTC
# without saying so, values texts. A node's sensors are things of their own.
include "oudp";

# $missing: by which a sensor says that it has none, or at which it is known to stick.
def value($name; $missing): [.sensordatavalues[]? | select(.value_type == $name) | .value | number_not($missing)] | .[0] // empty;
def particles($name): value($name; [-999, 999.9, 1999.9]);
def base($time): {dateObserved: $time, source: "https://sensor.community"}
  + member("location"; point(.location.longitude; .location.latitude));
def air: member("pm10"; particles("P1")) + member("pm25"; particles("P2")) + member("pm1"; particles("P0"));
def weather: member("temperature"; value("temperature"; [-999, -127, 85]))
  + member("relativeHumidity"; value("humidity"; [-999, 99.9, 1, 0]) | percent_to_share | rounded)
  + member("atmosphericPressure"; value("pressure"; [-999, 0]) | pa_to_hpa | rounded);
def noise: member("LAeq"; value("noise_LAeq"; [-999, 0])) + member("LAmin"; value("noise_LA_min"; [-999, 0]))
  + member("LAmax"; value("noise_LA_max"; [-999, 0]));
def message($feed; $thing; $base; $values):
  if $values == {} then empty else {topic: ((($settings[$feed]) // ("city/" + $feed)) + "/" + $thing), payload: ($base + $values)} end;

if (.sensor.id == null) or (.sensordatavalues | type) != "array" then {refused: "no sensor and its values"}
else
  ([.timestamp | utc_time] | .[0]) as $time
  | if $time == null then {refused: "no time that can be read"}
    else
      ("sc-" + (.sensor.id | tostring)) as $thing | base($time) as $base
      | [message("air"; $thing; $base; air), message("weather"; $thing; $base; weather), message("noise"; $thing; $base; noise)]
      | if length == 0 then {ignored: "no value that we know"} else . end
    end
end
